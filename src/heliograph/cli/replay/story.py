"""The replay itself, act by act: wrong settings refused, forced, fenced, forced alone, held, and put right."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.demo import SHARED, Demo
from heliograph.bootstrap.shared import PREFIX
from heliograph.cli.replay.candidate import Candidate
from heliograph.cli.replay.figures import Figures, seconds
from heliograph.cli.replay.ledger import Reading
from heliograph.cli.replay.town import Town
from heliograph.domain.health import Condition
from heliograph.domain.retry import SECOND
from heliograph.sandbox.plain_connector import KEY_SECRET
from heliograph.services import releases
from heliograph.worker.gatekeeper import Gatekeeper

T = TypeVar("T")
VARIABLE = f"{PREFIX}{SHARED.upper()}__KEY_SECRET"
REASON = "Replay of 6 August 2020: the gate said no, and somebody insists."
#: Seconds that an act is shown for at least, and that what must happen in it may take at most.
WELL, REFUSED, FORCED, ALONE, BACK = 4.0, 6.0, 6.0, 11.0, 3.0
PATIENCE = 12.0


class Stuck(Exception):
    """What should have happened did not; the message says what."""


class Story:
    """One run. `tell` is called with an act's name and what can be said of it by now."""

    def __init__(self, application: Application, demo: Demo, keeper: Gatekeeper, town: Town, tell: Callable[[str, str], None]) -> None:
        self._application, self._demo, self._keeper, self._town, self._tell = application, demo, keeper, town, tell
        self._context = application.context
        self._candidate: Candidate | None = None
        #: Whether the old release is switched off.
        self._off = False
        self.figures = Figures()

    @property
    def _good(self) -> str:
        return self._keeper.identity.id

    async def play(self) -> None:
        """From beginning to end. Raises Stuck. Whatever happens, the right settings are back afterwards."""
        town = self._town
        self._tell("well", "")
        await self._prepare()
        reading = await Reading.begin(self._application, self._demo)
        town.begin()
        try:
            self._tell("well", "Agents write the same replies to both connectors, and customers get them.")
            await self._context.clock.sleep(WELL)
            await self._refused(reading)
            await self._forced(reading)
            await self._alone(reading)
            await self._back(reading)
        finally:
            await self._tidy()

    async def _prepare(self) -> None:
        """Nothing is switched off or on hold, and every contact has a ticket."""
        sandbox = self._demo.sandbox.sandbox
        sandbox.faults.clear()
        sandbox.outbox.release()
        self._context.suspect(self._demo.account, self._demo.sunshine)
        await self._until("the channel is well", self._well)
        try:
            await self._town.gather()
        except TimeoutError:
            raise Stuck("the contacts' messages became no tickets") from None

    async def _well(self) -> bool:
        version = f"{SHARED}@{self._keeper.identity.credentials[SHARED]}"
        rows = [await self._context.store.health("", "credential", version)]
        rows.append(await self._context.store.health(self._demo.account, "channel", self._demo.sunshine))
        return self._keeper.may_send and all(row is None or row.condition is not Condition.HELD for row in rows)

    async def _refused(self, reading: Reading) -> None:
        """The deploy of 2020, with the gate on."""
        self._tell("refused", f"A deploy carries a wrong {KEY_SECRET}. The plain connector works with it from now on.")
        wrong = self._demo.sandbox.sandbox.ids.token(43)
        self._candidate = Candidate(self._application, {VARIABLE: wrong}, host="replay")
        began = self._context.clock.now()
        self._town.plain.restart({**self._town.good, KEY_SECRET: wrong})
        await self._candidate.start()
        refusal = await self._until("the gate's verdict", lambda: reading.refusal(self._release))
        self.figures = self.figures._replace(verdict=refusal.seconds, variable=refusal.variable)
        self._tell(
            "refused", f"Heliograph’s gate said no in {seconds(refusal.seconds)} and named {refusal.variable}. The release before sends on."
        )
        await self._rest(began, REFUSED)
        calls = len(reading.refused_calls(self._town.ours.conversations)) + len(await reading.tried(self._release))
        self.figures = self.figures._replace(calls_refused=calls)

    @property
    def _release(self) -> str:
        assert self._candidate is not None
        return self._candidate.id

    async def _force(self) -> int:
        """Break the glass; returns when."""
        now = self._context.clock.now()
        await releases.force(self._context, self._release, reason=REASON, actor="operator")
        return now

    async def _forced(self, reading: Reading) -> None:
        """Forced through while the old release runs: its first failure is its last."""
        self._tell("forced", "Somebody forces it through all the same, with a reason that is kept.")
        began = await self._force()
        at = await self._until("the fence", lambda: reading.at(self._release, "release_fenced", since=began))
        after = await self._until("the old release goes on", lambda: reading.accepted_after(self._good, at))
        calls = reading.refused_calls(self._town.ours.conversations, since=began)
        first = calls[0] if calls else at
        self.figures = self.figures._replace(calls_forced=len(calls), fenced=(at - first) / SECOND, went_on=(after - first) / SECOND)
        self._tell(
            "forced", f"Its first call was refused; {seconds(self.figures.fenced)} later it was fenced. The release before sends on."
        )
        await self._rest(began, FORCED)

    async def _alone(self, reading: Reading) -> None:
        """Forced through with nobody left to take over."""
        self._tell("alone", "Forced once more, and the old release is switched off: as in 2020, nobody holds settings that work.")
        self._town.agents = [self._demo.agent, self._demo.colleague]
        await self._keeper.stop()
        self._off = True
        began = await self._force()
        version = await self._version()
        held = await self._until("the hold", lambda: reading.held_at(SHARED, version, began))
        calls = reading.refused_calls(self._town.ours.conversations, since=began)
        first = calls[0] if calls else held
        self.figures = self.figures._replace(held=max(held - first, 0) / SECOND)
        self._tell("alone", f"On hold {seconds(self.figures.held)} after the first refusal: replies wait in order.")
        told = [await self._until("an agent is told", partial(self._told, reading, agent)) for agent in self._town.agents]
        self.figures = self.figures._replace(told=(max(told) - held) / SECOND, agents=len(told))
        self._tell(
            "alone",
            f"Replies wait in order, and {len(told)} agents were told after {seconds(self.figures.told)}: see the banner at the desk.",
        )
        await self._rest(began, ALONE)
        calls = reading.refused_calls(self._town.ours.conversations, since=began)
        self.figures = self.figures._replace(calls_alone=len(calls))

    def _switch_on(self) -> None:
        """The old release runs again, if it does not."""
        if self._off:
            self._keeper.start()
        self._off = False

    async def _version(self) -> str:
        kept, _ = await releases.read(self._context.store, self._release)
        return kept.credentials[SHARED] if kept is not None else ""

    async def _told(self, reading: Reading, agent: str) -> int:
        return self._context.clock.now() if await reading.told(agent) else 0

    async def _back(self, reading: Reading) -> None:
        """The old release starts again, and takes over by itself."""
        waiting = {row.id for row in await self._town.deliveries() if not row.accepted_at}
        began = self._context.clock.now()
        self._tell("back", "The right settings come back.")
        self._town.plain.restart(self._town.good)
        self._switch_on()
        await self._until("the wrong release is fenced", lambda: reading.at(self._release, "release_fenced", since=began))
        await self._until("all are delivered", self._drained(waiting))
        rows = {row.id: row for row in await self._town.deliveries()}
        done = [rows[id] for id in waiting if rows[id].accepted_at]
        longest = max((row.accepted_at - row.queued_at for row in done), default=0)
        ended = max((row.accepted_at for row in done), default=began)
        self.figures = self.figures._replace(
            waited=len(waiting), waited_delivered=len(done), longest=longest / SECOND, drained=(ended - began) / SECOND
        )
        self._tell(
            "back",
            f"{len(done)} replies that had waited went out in order, {seconds(self.figures.drained)} later. Nobody pressed anything.",
        )
        await self._rest(began, BACK)
        await self._town.end()
        await self._until("the last replies are delivered", self._drained(None))

    def _drained(self, ids: set[str] | None) -> Callable[[], Awaitable[bool]]:
        async def asked() -> bool:
            return all(row.accepted_at for row in await self._town.deliveries() if ids is None or row.id in ids)

        return asked

    async def _tidy(self) -> None:
        """As it was before, also after a fault: the right release sends, and nobody else is there."""
        town = self._town
        town.agents = [self._demo.colleague]
        town.plain.restart(town.good)
        await town.end()
        self._switch_on()
        if self._candidate is not None:
            row = self._candidate.row
            if row is not None and not self._keeper.may_send:
                await releases.fence(self._context, self._release, self._good, basis="rolled_back", actor="operator")
            await self._candidate.stop()
            self._candidate = None
        await town.settle()

    async def _until(self, what: str, ask: Callable[[], Awaitable[T | None]]) -> T:
        deadline = self._context.clock.now() + int(PATIENCE * SECOND)
        while self._context.clock.now() < deadline:
            if found := await ask():
                return found
            await self._context.clock.sleep(0.03)
        raise Stuck(f"{what}: not within {PATIENCE:.0f} s")

    async def _rest(self, began: int, length: float) -> None:
        await self._context.clock.sleep(max(0.0, length - (self._context.clock.now() - began) / SECOND))
