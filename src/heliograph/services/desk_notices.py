"""What an app in a desk is given: each live incident that concerns replies written there, with where these are in the desk."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from heliograph.domain.incident import Incident
from heliograph.domain.retry import SECOND
from heliograph.projections.facts import GRAVEST, Affected, facts
from heliograph.projections.wording import desk as words
from heliograph.services import incidents
from heliograph.services.context import Context
from heliograph.services.desk_happenings import whereabouts
from heliograph.services.desk_links import Linked, of_account
from heliograph.services.impact import provider_title, recent_impact
from heliograph.services.notices import KIND, told_whom

#: Seconds after which the app asks again.
POLL = 15
#: For how long one answer serves everybody who asks: all agents' apps ask for the same. Microseconds.
FRESH = 2 * SECOND
#: Replies of an incident that an answer names: those that are open come first.
MOST = 1_000
OPEN = frozenset({"waiting", "asked"})


class Reply(msgspec.Struct):
    """One affected reply. The desk's numbers are null until it has told them."""

    external_id: str
    ticket_id: int | None
    comment_id: int | None
    became: str


class Notice(msgspec.Struct):
    """One incident. `wording` by language."""

    incident: str
    number: int
    severity: str
    since: str
    over: bool
    replies: list[Reply]
    wording: dict[str, dict[str, str | dict[str, str]]]


class Answer(msgspec.Struct):
    """What the app gets."""

    poll_after: int
    notices: list[Notice]


@dataclass(slots=True)
class Noticing:
    """One per process: what was answered lately, by link, and where comments are, which never changes once it is known."""

    _kept: dict[tuple[str, str], tuple[int, Answer]] = field(default_factory=dict)
    _places: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    async def answer(self, context: Context, linked: Linked) -> Answer:
        """For the app of a link's desk: of all links of the account there. Raises Unavailable."""
        key, now = (linked.account, linked.link.subdomain), context.clock.now()
        known = self._kept.get(key)
        if known is not None and now - known[0] < FRESH:
            return known[1]
        mine = [each for each in await of_account(context.store, linked.account) if each.link.subdomain == linked.link.subdomain]
        agents, notices = {each.link.agent for each in mine}, dict[str, Notice]()
        for document in await context.store.documents(linked.account, KIND):
            id, reader = told_whom(document.id)
            # Whom to tell about what, and for how long, is decided for all agents in one place; those of the desk are one of them.
            if reader in agents and id not in notices:
                notice = await self._notice(context, mine, await incidents.find(context.store, id, linked.account))
                notices |= {id: notice} if notice is not None else {}
        answer = Answer(POLL, list(notices.values()))
        self._kept[key] = (now, answer)
        return answer

    async def _notice(self, context: Context, mine: list[Linked], incident: Incident) -> Notice | None:
        account, agents = mine[0].account, {each.link.agent for each in mine}
        affected = [one for one in await recent_impact(context, incident, account) if one.agent in agents]
        if not affected or incident.merged_into:
            return None
        title = await provider_title(context, incident)
        counted = facts(incident, affected, provider_title=title, account=account)
        since = datetime.fromtimestamp(incident.onset_at / SECOND, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Notice(
            incident.id, incident.number, incident.severity.value, since, incident.over,
            [await self._reply(context, account, comment, became) for comment, became in _replies(affected)], words.app(counted),
        )  # fmt: skip

    async def _reply(self, context: Context, account: str, comment: str, became: str) -> Reply:
        key = (account, comment)
        if key not in self._places:
            place = await whereabouts(context.store, account, comment)
            if place is None:
                return Reply(comment, None, None, became)
            if len(self._places) >= 100 * MOST:
                self._places.clear()
            self._places[key] = (place.ticket, place.comment)
        ticket, number = self._places[key]
        return Reply(comment, ticket, number or None, became)


def _replies(affected: list[Affected]) -> list[tuple[str, str]]:
    """Each comment once, with the gravest of what became of its parts; open ones first."""
    found: dict[str, str] = {}
    for one in affected:
        if one.comment:
            found[one.comment] = min(found.get(one.comment, one.became), one.became, key=GRAVEST.index)
    return sorted(found.items(), key=lambda each: each[1] not in OPEN)[:MOST]
