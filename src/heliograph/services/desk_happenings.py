"""Takes in what a desk says about itself: where it put our items, and that its connection was switched off or on."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from heliograph.ports import rows
from heliograph.ports.desk import Begun, Ended, Happening, Mentioned, Placed
from heliograph.ports.store import Changes, Store
from heliograph.services import desk_links
from heliograph.services.context import Context
from heliograph.services.desk_links import Linked

#: Where a comment of ours is in the desk; its document's id is the comment's.
KIND = "desk_whereabouts"


class Whereabouts(msgspec.Struct, frozen=True):
    """The desk's own numbers; `comment` 0 where it did not say."""

    ticket: int
    comment: int


async def take(context: Context, desk: str, happenings: Sequence[Happening]) -> None:
    """All of them; the same ones again change nothing. Raises Unavailable or Conflict."""
    owners = _Owners(context.store, [linked for linked in await desk_links.all_links(context.store) if linked.link.desk == desk])
    placed: dict[str, list[tuple[str, Whereabouts]]] = {}
    for happening in happenings:
        match happening:
            case Placed(item, ticket, comment):
                account = await owners.account_of(item)
                if account:
                    placed.setdefault(account, []).append((item, Whereabouts(ticket, comment)))
            case Ended(link, secret, for_good, code):
                if (latest := await desk_links.prove_latest(context, link, secret)) is not None:
                    await desk_links.ended(context, latest, for_good=for_good, by=code)
            case Begun(link, secret):
                if (latest := await desk_links.prove_latest(context, link, secret)) is not None:
                    await desk_links.begun(context, latest)
            case Mentioned(kind, failed):
                context.observe("desk_happening", {"provider": desk, "kind": kind, "failed": int(failed)})
            case _:
                assert_never(happening)
    for account, found in placed.items():
        changes = Changes(account, context.clock.now())
        changes.puts += [rows.Document(account, KIND, item, 0, changes.at, msgspec.json.encode(place).decode()) for item, place in found]
        await context.store.commit(changes)


async def whereabouts(store: Store, account: str, comment: str) -> Whereabouts | None:
    """Where a comment of ours is, once the desk has said so."""
    document = await store.document(account, KIND, comment)
    return None if document is None else msgspec.json.decode(document.data, type=Whereabouts)


class _Owners:
    """Whose comments are: a desk says its own numbers, and not whose they are. Those of one call are nearly always one account's."""

    def __init__(self, store: Store, links: Sequence[Linked]) -> None:
        self._store = store
        self._channels: dict[str, set[str]] = {}
        for linked in links:
            self._channels.setdefault(linked.account, set()).add(linked.channel)

    async def account_of(self, item: str) -> str:
        """The account that has the comment on a mirrored channel, "" for none."""
        for account, channels in self._channels.items():
            comment = await self._store.comment(account, item)
            ticket = await self._store.ticket(account, comment.ticket) if comment is not None else None
            if ticket is not None and ticket.channel in channels:
                # The next one is looked for here first.
                self._channels = {account: channels, **self._channels}
                return account
        return ""
