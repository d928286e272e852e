"""How releases stand, as the command line tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Basis, Stage
from heliograph.domain.retry import SECOND
from heliograph.services import releases
from heliograph.services.releases import Kept, Running

#: A refusal from before its processes started says nothing of them, until they had so long to ask again.
FRESH = 8 * SECOND
WHY: dict[str, str] = {
    Basis.PROVED: "it proved everything",
    Basis.REPAIR: "it passes where the running release fails",
    Basis.KNOWN: "it was admitted before",
    Basis.LOCAL_FAULT: "what it was started with is certainly wrong",
    Basis.WITNESS_PASSES: "it fails where the running release passes",
    Basis.BOTH_FAIL: "the running release fails too, so the fault is elsewhere",
    Basis.NO_WITNESS: "it fails, and no admitted release runs that could tell whose fault it is",
    Basis.UNTOLD: "the provider does not say whether it is right",
    Basis.FORCED: "a person let it through",
    Basis.ATTEMPTS: "its attempts fail where another release's succeed",
    Basis.ROLLED_BACK: "a person went back to the release before",
    Basis.GONE: "its process ended before it had sent anything",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One release with its processes."""

    kept: Kept
    processes: Sequence[tuple[str, int]]
    #: When its latest process that still runs was started, or else when it was registered.
    started_at: int
    proved_at: int
    forced_because: str

    def decided(self, now: int) -> bool:
        """Whether it may send, or certainly may not. A refusal from before these processes started is not theirs."""
        row = self.kept.row
        if row.stage is Stage.REFUSED:
            fresh = row.ended_at >= self.started_at or (self.proved_at >= self.started_at and now - self.started_at > FRESH)
            return (bool(self.processes) and fresh) or (not self.processes and now - row.ended_at < FRESH)
        return row.stage in (Stage.ADMITTED, Stage.FENCED)

    def sentence(self) -> str:
        """The stage, why, and the variable, in one line."""
        row = self.kept.row
        return sentence(row.id, str(row.stage), row.basis, row.subject, row.reason, row.variable)

    def facts(self) -> dict[str, Any]:
        """What `--json` shows. Times in ISO 8601, "" where there is none."""
        row = self.kept.row
        return {
            "release": row.id, "stage": str(row.stage), "basis": row.basis, "subject": row.subject, "reason": row.reason,
            "variable": row.variable, "code": row.code, "fingerprint": row.fingerprint, "forced": bool(row.forced_at),
            "forced_because": self.forced_because, "registered_at": moment(row.registered_at), "admitted_at": moment(row.admitted_at),
            "ended_at": moment(row.ended_at), "proved_at": moment(self.proved_at),
            "processes": [{"host": host, "started_at": moment(at)} for host, at in self.processes],
        }  # fmt: skip


def sentence(id: str, stage: str, basis: str, subject: str, reason: str, variable: str) -> str:
    """How a release stands, in one line that ends with the variable at fault where one differs."""
    said = WHY.get(basis, basis)
    about = f" ({', '.join(filter(None, (subject, reason)))})" if subject or reason else ""
    named = f" Look at: {variable}" if variable else ""
    return f"{stage}: {id}" + (f", because {said}{about}." if said else ".") + named


def moment(at: int) -> str:
    """A time as people read it, "" for none."""
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


async def read_all(application: Application) -> list[Standing]:
    """Every release, oldest first."""
    store = application.context.store
    alive = await releases.running(store, application.context.clock.now())
    notes = [msgspec.json.decode(d.data, type=dict[str, str]) for d in await store.documents("", releases.NOTE)]
    because = {note["release"]: note["text"] for note in notes}
    found = []
    for kept in await releases.releases(store):
        processes: list[Running] = alive.get(kept.row.id, [])
        proved = await releases.proved(store, kept.row.id)
        started = max([kept.row.registered_at, *(process.started_at for process in processes)])
        each = sorted((process.host, process.started_at) for process in processes)
        found.append(Standing(kept, each, started, proved.at if proved else 0, because.get(kept.row.id, "")))
    return found


def find(found: Sequence[Standing], id: str) -> Standing | None:
    """The one with this id."""
    return next((one for one in found if one.kept.row.id == id), None)


def changes_between(a: Kept, b: Kept) -> list[dict[str, str]]:
    """Variables that differ, each with what became of it and the keyed fingerprints of both versions."""
    changed = []
    for name in sorted({*a.settings, *b.settings}):
        before, after = a.settings.get(name, ""), b.settings.get(name, "")
        if before != after:
            change = "added" if not before else "removed" if not after else "changed"
            changed.append({"variable": name, "change": change, "from": before[:8], "to": after[:8]})
    return changed
