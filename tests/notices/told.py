"""A town whose notices follow its incidents: what a test of notices needs on top of a town."""

from dataclasses import dataclass, field

from heliograph.services.notices import ADMINS, Notices, Shown, shown_to
from tests.incidents.town import STEP, Home, Town


@dataclass
class Told:
    """A town and its notices, moved on together."""

    town: Town
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = Notices(self.town.context)

    async def run(self, seconds: float) -> None:
        """So many seconds of everything."""
        for _ in range(round(seconds / STEP)):
            await self.town.step()
            await self.notices.reconcile()

    async def shown(self, home: Home, agent: int = 0) -> list[Shown]:
        """What an agent of the account has before them."""
        return await shown_to(self.town.context, home.account, home.agents[agent], admin=False)

    async def for_admins(self, home: Home) -> list[Shown]:
        """What an admin of the account has who wrote nothing."""
        return await shown_to(self.town.context, home.account, "nobody", admin=True)

    async def readers(self) -> set[tuple[str, str]]:
        """Everybody who has a notice, as (account, agent)."""
        documents = await self.town.store.documents_of_all("notice")
        found = {(document.account, document.id.partition(".")[2]) for document in documents}
        return {(account, reader) for account, reader in found if reader != ADMINS}

    async def told_at(self) -> dict[tuple[str, str], int]:
        """When each agent got their notice."""
        found = {}
        for account, agent in await self.readers():
            [shown] = await shown_to(self.town.context, account, agent, admin=False)
            found[account, agent] = shown.notice.told_at
        return found
