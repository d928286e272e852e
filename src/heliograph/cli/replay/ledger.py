"""What the ledger and the sandbox's journal say of a run, read when asked: nothing is kept beside them."""

from typing import NamedTuple

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.demo import Demo
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store
from heliograph.services import notices, releases

PAGE = 500
NOT_THROUGH = frozenset({"attempt_refused", "attempt_deferred", "attempt_unknown"})
HOLDS = frozenset({"hold_started", "hold_prolonged"})


class Refusal(NamedTuple):
    """How the gate stopped a release: seconds from its start to the verdict, and the variable that it named."""

    seconds: float
    variable: str


class Reading:
    """Everything since a moment (microseconds) and a sequence of the account's events."""

    def __init__(self, application: Application, demo: Demo, seq: int, arrival: int) -> None:
        self._store: Store = application.context.store
        self._application = application
        self._demo = demo
        self._seq = seq
        self._arrival = arrival

    @classmethod
    async def begin(cls, application: Application, demo: Demo) -> "Reading":
        """From now on."""
        seq = 0
        while found := await application.context.store.account_events(demo.account, after=seq, limit=PAGE):
            seq = found[-1].seq
        known = demo.sandbox.sandbox.journal.find(service="sunshine", limit=1_000_000)
        return cls(application, demo, seq, known[-1]["sequence"] if known else 0)

    async def _account(self) -> list[rows.EventRead]:
        found: list[rows.EventRead] = []
        after = self._seq
        while page := await self._store.account_events(self._demo.account, after=after, limit=PAGE):
            found += page
            after = page[-1].seq
        return found

    async def _release(self, id: str) -> list[rows.EventRead]:
        return await self._store.events("", stream="release", stream_id=id, after=0, limit=PAGE)

    async def refusal(self, release: str) -> Refusal | None:
        """None until the gate has spoken."""
        events = await self._release(release)
        started = next((event.recorded_at for event in events if event.kind == "release_registered"), 0)
        refused = next((event for event in events if event.kind == "release_refused"), None)
        if refused is None:
            return None
        kept, _ = await releases.read(self._store, release)
        return Refusal((refused.recorded_at - started) / SECOND, kept.row.variable if kept is not None else "")

    async def tried(self, release: str, *, since: int = 0) -> list[rows.EventRead]:
        """Attempts of a release that did not get through, oldest first."""
        return [e for e in await self._account() if e.release == release and e.kind in NOT_THROUGH and e.recorded_at >= since]

    async def accepted_after(self, release: str, at: int) -> int:
        """When a release's next message was accepted after `at`; 0 for not yet."""
        return next(
            (e.recorded_at for e in await self._account() if e.release == release and e.kind == "attempt_accepted" and e.recorded_at > at),
            0,
        )

    async def at(self, release: str, kind: str, *, since: int = 0) -> int:
        """When an event of a release was recorded; 0 for not yet."""
        return next((e.recorded_at for e in await self._release(release) if e.kind == kind and e.recorded_at >= since), 0)

    async def held_at(self, credential: str, fingerprint: str, since: int) -> int:
        """When sending with a version of a shared credential stopped; 0 for not yet."""
        found = await self._store.events("", stream="credential", stream_id=credential, after=0, limit=PAGE)
        subject = f"{credential}@{fingerprint}"
        return next((e.recorded_at for e in found if e.credential == subject and e.kind in HOLDS and e.recorded_at >= since), 0)

    async def told(self, agent: str) -> bool:
        """Whether the agent has a notice before them that counts replies of theirs which wait now."""
        shown = await notices.shown_to(self._application.context, self._demo.account, agent, admin=False)
        return any(one.notice.counted.waiting for one in shown)

    def refused_calls(self, conversations: list[str], *, since: int = 0) -> list[int]:
        """When the service answered 401 to calls about these conversations, microseconds, from its own journal."""
        found = self._demo.sandbox.sandbox.journal.find(service="sunshine", after=self._arrival, limit=1_000_000)
        places = set(conversations)
        return [one["at"] for one in found if one["conversation"] in places and one["outcome"] == "401" and one["at"] >= since]
