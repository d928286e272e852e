"""What a provider must still be asked for after a message is in: a document each, asked for again until it is there or given up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Loose, Unavailable
from heliograph.services.context import Context

#: Of one account, how many are asked for before others are looked at again; accounts that are served at once (each may hold the bytes
#: of a large file); and seconds between looks at what others have got meanwhile.
ROUND, AT_ONCE, LOOK = 20, 8, 1.0
#: Microseconds between tries that fail: doubled from the first to the longest.
FIRST, LONGEST = 5 * SECOND, 3600 * SECOND


class Followed(msgspec.Struct):
    """What is still to be asked for. Times in microseconds."""

    channel: str
    since: int
    ready_at: int
    tries: int = 0


F = TypeVar("F", bound=Followed)


class Found(NamedTuple):
    """What came of asking. `puts` and `loose` are written once it is `done`, or given up."""

    done: bool
    puts: Sequence[Any] = ()
    loose: Sequence[Loose] = ()


@dataclass(frozen=True, slots=True)
class FollowUp(Generic[F]):
    """One kind of thing to ask for. `taken`: microseconds for which one who asks is given before another one does."""

    kind: str
    form: type[F]
    taken: int
    given_up: int
    #: Asks: account, id of the document, what is sought.
    ask: Callable[[Context, str, str, F], Awaitable[Found]]

    def noted(self, account: str, id: str, followed: F) -> rows.Document:
        """To be committed with what it belongs to: from then on it is asked for."""
        return self._document(account, id, 1, followed, followed.since)

    async def step(self, context: Context) -> None:
        """Ask for what is due, accounts beside each other: one whose provider takes long keeps no other waiting.

        Several processes may run it: whoever notes first that it asks does.
        """
        running: dict[str, asyncio.Task[bool]] = {}
        failed: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                for account, due in (await self._due(context)).items():
                    if account not in running and account not in failed and len(running) < AT_ONCE:
                        running[account] = tasks.create_task(self._ask_all(context, due))
                if not running:
                    return
                done, _ = await asyncio.wait(running.values(), timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                failed |= {account for account, task in running.items() if task in done and not task.result()}
                running = {account: task for account, task in running.items() if task not in done}

    async def _due(self, context: Context) -> dict[str, list[tuple[rows.Document, F]]]:
        """By account: what has waited longest first."""
        now = context.clock.now()
        found = [(each, msgspec.json.decode(each.data, type=self.form)) for each in await context.store.documents_of_all(self.kind)]
        by_account: dict[str, list[tuple[rows.Document, F]]] = {}
        for each in sorted((each for each in found if each[1].ready_at <= now), key=lambda each: each[1].ready_at):
            by_account.setdefault(each[0].account, []).append(each)
        return by_account

    async def _ask_all(self, context: Context, due: Sequence[tuple[rows.Document, F]]) -> bool:
        """The first of an account; False where the store ended it."""
        try:
            for document, followed in due[:ROUND]:
                await self._ask(context, document, followed)
        except (Unavailable, Conflict) as passing:
            context.observe("round_failed", {"error": type(passing).__name__})
            return False
        return True

    async def _ask(self, context: Context, document: rows.Document, followed: F) -> None:
        now, account, id = context.clock.now(), document.account, document.id
        taken = msgspec.structs.replace(followed, ready_at=now + self.taken, tries=followed.tries + 1)
        try:
            await context.store.commit(Changes(account, now, puts=[self._document(account, id, document.version + 1, taken, now)]))
        except Conflict:
            return
        found = await self.ask(context, account, id, followed)
        after = context.clock.now()
        changes = Changes(account, after)
        if found.done or after - followed.since > self.given_up:
            changes.puts += [*found.puts, rows.DropDocument(account, self.kind, id)]
            changes.loose += found.loose
        else:
            again = msgspec.structs.replace(taken, ready_at=after + min(FIRST * 2 ** min(followed.tries, 20), LONGEST))
            changes.puts.append(self._document(account, id, document.version + 2, again, after))
        await context.store.commit(changes)
        context.observe("followed_up", {"what": self.kind, "channel": followed.channel, "done": int(found.done), "tries": taken.tries})

    def _document(self, account: str, id: str, version: int, followed: F, now: int) -> rows.Document:
        return rows.Document(account, self.kind, id, version, now, msgspec.json.encode(followed).decode())
