"""Releases: registered, proved, admitted, fenced and retired, with the running release as witness. Every decision is an event."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from heliograph.domain import gate, release_events as ev
from heliograph.domain.event import Event
from heliograph.domain.events import TrialStarted
from heliograph.domain.gate import Outcome, Proof, Release, Stage
from heliograph.domain.health import SEND, Condition, Health
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Fold, Loose, Store
from heliograph.services.context import Context, Invalid, Missing, retrying

KIND, PROOF, PROCESS, NOTE = "release", "proof", "process", "release_note"
#: A process that was not seen for so long is gone; each says every BEAT that it runs.
ALIVE = 15 * SECOND
#: Stages of a release that can be a witness: it was admitted, and nothing spoke against it.
TRUSTED = frozenset({Stage.ADMITTED, Stage.RETIRED})
BEAT = 5 * SECOND


class Identity(NamedTuple):
    """Code and configuration of this process. `settings`: variable -> keyed fingerprint; `credentials`: shared ones by name."""

    id: str
    code: str
    fingerprint: str
    settings: Mapping[str, str]
    credentials: Mapping[str, str]


class Kept(msgspec.Struct):
    """A release's document: its row, and which version of each variable it holds."""

    row: Release
    settings: dict[str, str]
    credentials: dict[str, str]


class Proved(msgspec.Struct):
    """What a release proved last, by subject, and when."""

    at: int
    outcomes: dict[str, Outcome]


class Evidence(NamedTuple):
    """First attempts in the same time, of the release and of the other one, and how much likelier its own fault makes them."""

    failed: int = 0
    succeeded: int = 0
    other_failed: int = 0
    other_succeeded: int = 0
    likelihood: float = 0.0


NOTHING = Evidence()


class Running(msgspec.Struct):
    """A process of a release."""

    release: str
    host: str
    started_at: int
    seen_at: int
    #: Names of the master keys that it holds.
    keys: list[str] = []


async def read(store: Store, id: str) -> tuple[Kept | None, int]:
    """A release and its document's version (0 where there is none)."""
    found = await store.document("", KIND, id)
    return (None, 0) if found is None else (msgspec.json.decode(found.data, type=Kept), found.version)


async def releases(store: Store) -> list[Kept]:
    """All that were ever started here, oldest first."""
    found = [msgspec.json.decode(document.data, type=Kept) for document in await store.documents("", KIND)]
    return sorted(found, key=lambda kept: (kept.row.registered_at, kept.row.id))


async def running(store: Store, now: int) -> dict[str, list[Running]]:
    """Processes that were seen lately, by release."""
    alive: dict[str, list[Running]] = {}
    for document in await store.documents("", PROCESS):
        process = msgspec.json.decode(document.data, type=Running)
        if now - process.seen_at <= ALIVE:
            alive.setdefault(process.release, []).append(process)
    return alive


async def register(context: Context, identity: Identity) -> Release:
    """Note that this release runs here. One that may not send yet is kept from it at the claim."""

    async def act() -> Release:
        kept, version = await read(context.store, identity.id)
        now = context.clock.now()
        row = kept.row if kept is not None else gate.registered(identity.id)
        events: list[Event] = [] if row.version else [ev.ReleaseRegistered(identity.code, identity.fingerprint)]
        changes = Changes("", now)
        row = _folded(row, events, now)
        _put(changes, Kept(row, dict(identity.settings), dict(identity.credentials)), events, version)
        changes.puts += [rows.ReleaseCredential(identity.id, name, value) for name, value in identity.credentials.items()]
        if row.stage not in gate.SENDING:
            changes.puts.append(rows.ReleaseShare(identity.id, 0, 0))
        await context.store.commit(changes)
        return row

    return await retrying(act)


async def beat(context: Context, process: str, identity: Identity, host: str, started_at: int) -> None:
    """Say that this process runs."""
    now = context.clock.now()
    data = Running(identity.id, host, started_at, now, sorted(context.channels.vault.key_ids))
    await context.store.commit(Changes("", now, puts=[_document(PROCESS, process, 0, now, data)]))


async def gone(context: Context, process: str) -> None:
    """This process ends."""
    await context.store.commit(Changes("", context.clock.now(), puts=[rows.DropDocument("", PROCESS, process)]))


async def keep_proofs(context: Context, id: str, proofs: Sequence[Proof]) -> None:
    """Write down what a release proves now."""
    await keep_outcomes(context, id, {proof.subject: proof.outcome for proof in proofs})


async def keep_outcomes(context: Context, id: str, outcomes: Mapping[str, Outcome]) -> None:
    """The same of a release that cannot write itself."""
    now = context.clock.now()
    await context.store.commit(Changes("", now, puts=[_document(PROOF, id, 0, now, Proved(now, dict(outcomes)))]))


async def proved(store: Store, id: str) -> Proved | None:
    """What a release proved last."""
    found = await store.document("", PROOF, id)
    return None if found is None else msgspec.json.decode(found.data, type=Proved)


async def conclude(context: Context, id: str, verdict: gate.Verdict) -> Release:
    """Act on the gate's word. Who is admitted takes all lanes, and the others retire in the same moment."""

    async def act() -> Release:
        known = await _known(context.store)
        mine = _of(known, id)
        events = gate.conclude(mine.row, verdict, _variable(known, id, verdict.subject))
        return await _move(context, known, {id: events})

    return await retrying(act)


async def share(context: Context, id: str, other: str, percent: int) -> Release:
    """Give a release that is proved a share of the lanes, to be tried in practice; `other` keeps the rest. PostgreSQL only."""

    async def act() -> Release:
        known = await _known(context.store)
        mine = _of(known, id).row
        events: list[Event] = [] if mine.stage in gate.SENDING or mine.stage is Stage.FENCED else [ev.ShareGiven(0, percent)]
        return await _move(context, known, {id: events}, shares={id: (0, percent), other: (percent, 100)})

    return await retrying(act)


async def force(context: Context, id: str, *, reason: str, actor: str, percent: int = gate.ALL) -> Release:
    """Break glass: let a release send although it was not proved. Recorded with the reason, and shown. Raises Missing.

    What its probes said is set aside: its next attempt, one lane at a time, shows who was right. `percent`: a share of the lanes; the
    release that was admitted last keeps the rest.
    """

    async def act() -> Release:
        note, now = context.new_id("nte"), context.clock.now()
        known = await _known(context.store)
        kept = _of(known, id)
        shares: dict[str, tuple[int, int]] = {id: (0, percent)}
        others = [other for other, (it, _) in known.items() if other != id and it.row.stage in gate.SENDING]
        if percent < gate.ALL and others:
            shares[others[-1]] = (percent, gate.ALL)
        beside = [_document(NOTE, note, 1, now, {"text": reason, "release": id})]
        doubts = [await context.store.health("", "credential", f"{name}@{print}") for name, print in kept.credentials.items()]
        folds = [Fold(doubt, [TrialStarted()]) for doubt in doubts if doubt is not None and doubt.condition is Condition.HELD]
        forced = ev.ReleaseForced(note, percent)
        return await _move(context, known, {id: [forced]}, actor=actor, shares=shares, beside=beside, folds=folds)

    return await retrying(act)


async def fence(
    context: Context, id: str, successor: str, *, basis: str, subject: str = "", reason: str = "", evidence: Evidence = NOTHING,
    actor: str = "system",
) -> bool:  # fmt: skip
    """Stop a release at the claim; `successor` sends in its place from the same moment. False where it is stopped already."""

    async def act() -> bool:
        known = await _known(context.store)
        if _of(known, id).row.stage not in gate.SENDING:
            return False
        stopped = ev.ReleaseFenced(basis, subject, reason, variable_of(subject, _of(known, id), _of(known, successor)), *evidence)
        events: dict[str, list[Event]] = {id: [stopped]}
        if _of(known, successor).row.stage is not Stage.ADMITTED:
            events[successor] = [ev.ReleaseAdmitted(gate.Basis.KNOWN, "")]
        await _move(context, known, events, actor=actor, shares={successor: (0, gate.ALL)})
        return True

    return await retrying(act)


async def roll_back(context: Context, *, actor: str) -> tuple[str, Kept]:
    """Let the release that sent before this one send again, and fence the one that sends: (its id, the one that sends from now on).

    Raises Invalid where no process of the earlier release runs, and says which to start; Missing where there is none.
    """
    known = await releases(context.store)
    sending = [kept.row for kept in known if kept.row.stage in gate.SENDING]
    good = [kept for kept in known if kept.row.stage is Stage.RETIRED]
    if not good:
        raise Invalid("No earlier release was admitted here and retired since: there is nothing to go back to.")
    back = max(good, key=lambda kept: (kept.row.ended_at, kept.row.admitted_at))
    if back.row.id not in await running(context.store, context.clock.now()):
        raise Invalid(
            f"The release before is {back.row.id} (code {back.row.code}), and no process of it runs. Start it with its own code and "
            "settings beside this one, then ask again; or deploy it: heliograph deploy --env-file OLD"
        )
    for row in sending:
        await fence(context, row.id, back.row.id, basis=gate.Basis.ROLLED_BACK, actor=actor)
    return (sending[-1].id if sending else ""), back


async def set_probe_aside(context: Context, health: Health) -> None:
    """Let one lane try what a probe has stopped: a person who breaks the glass overrules probes, and only sending shows who is right."""
    await context.store.commit(Changes("", context.clock.now(), folds=[Fold(health, [TrialStarted()])]))


async def sent_in_vain(store: Store, health: Health, since: int) -> bool:
    """Whether a credential version failed in sending itself after `since`. Whoever breaks the glass sets only the probes aside."""
    after = 0
    while events := await store.events("", stream="credential", stream_id=health.subject.partition("@")[0], after=after, limit=500):
        if any(_in_sending(event) for event in events if event.credential == health.subject and event.recorded_at > since):
            return True
        after = events[-1].seq
    return False


def _in_sending(event: rows.EventRead) -> bool:
    if event.kind not in ("hold_started", "hold_prolonged"):
        return False
    operation: object = msgspec.json.decode(event.data, type=dict[str, object]).get("operation")
    return operation == SEND


def variable_of(subject: str, mine: Kept, theirs: Kept | None) -> str:
    """Which variables behind a subject differ between two releases; where none does, all that it is made from."""
    part = f"HELIOGRAPH_CREDENTIAL__{subject.partition(':')[2] or subject}__".upper()
    named = {"master_key": ["HELIOGRAPH_MASTER_KEY"], "store": ["HELIOGRAPH_DATABASE_URL"]}
    before = theirs.settings if theirs is not None else mine.settings
    about = named.get(subject) or sorted({name for name in (*mine.settings, *before) if name.startswith(part)})
    if subject.startswith("webhook:"):
        about = [name for name in about if name.endswith("__WEBHOOK_SECRET")]
    changed = [name for name in about if mine.settings.get(name) != before.get(name)]
    return ", ".join(changed or about)


async def witness_of(store: Store, id: str, now: int) -> Kept | None:
    """The release that runs beside this one and may send, or did until just now: the one admitted last."""
    alive = await running(store, now)
    others = [kept for kept in await releases(store) if kept.row.id != id and kept.row.id in alive and kept.row.stage in TRUSTED]
    return max(others, key=lambda kept: kept.row.admitted_at, default=None)


async def anybody_sends(store: Store, now: int) -> bool:
    """Whether a release that runs may send, or none takes part in releases."""
    known = await releases(store)
    alive = await running(store, now)
    return not known or any(kept.row.stage in gate.SENDING and kept.row.id in alive for kept in known)


# --- how decisions are written -------------------------------------------------------------------

_Known = Mapping[str, tuple[Kept, int]]


async def _known(store: Store) -> _Known:
    """All releases, each with its document's version."""
    found = {d.id: (msgspec.json.decode(d.data, type=Kept), d.version) for d in await store.documents("", KIND)}
    return dict(sorted(found.items(), key=lambda item: item[1][0].row.admitted_at))


def _of(known: _Known, id: str) -> Kept:
    if id not in known:
        raise Missing("release")
    return known[id][0]


def _variable(known: _Known, id: str, subject: str) -> str:
    """Compared with the release that was admitted last."""
    others = [kept for other, (kept, _) in known.items() if other != id and kept.row.admitted_at]
    return variable_of(subject, _of(known, id), others[-1] if others else None)


async def _move(
    context: Context,
    known: _Known,
    events: Mapping[str, list[Event]],
    *,
    actor: str = "system",
    shares: Mapping[str, tuple[int, int]] | None = None,
    beside: Sequence[NamedTuple] = (),
    folds: Sequence[Fold] = (),
) -> Release:
    """Fold the events of releases, in one act, and let the claims follow. Returns the first release's new row.

    One that is admitted takes all lanes from those that send. `shares`: other limits than all or nothing.
    """
    now = context.clock.now()
    moving = {id: happened for id, happened in events.items() if happened}
    after = {id: _folded(_of(known, id).row, happened, now) for id, happened in moving.items()}
    ruler = next((row.id for row in after.values() if row.stage is Stage.ADMITTED), "")
    for id, (kept, _) in known.items():
        if ruler and id not in after and kept.row.stage in gate.SENDING:
            moving[id] = [ev.ReleaseRetired(ruler)]
            after[id] = _folded(kept.row, moving[id], now)
    changes = Changes("", now, actor, puts=list(beside), folds=list(folds))
    for id, happened in moving.items():
        kept, version = known[id]
        _put(changes, Kept(after[id], kept.settings, kept.credentials), happened, version)
    limits = {id: (0, 100 if row.stage is Stage.ADMITTED else 0) for id, row in after.items()}
    limits |= (shares or {}) if moving else {}
    changes.puts += [rows.ReleaseShare(id, low, high) for id, (low, high) in limits.items()]
    if changes.puts:
        await context.store.commit(changes)
    first = next(iter(events))
    return after.get(first) or _of(known, first).row


def _put(changes: Changes, kept: Kept, events: Sequence[Event], version: int) -> None:
    changes.puts.append(_document(KIND, kept.row.id, version + 1, changes.at, kept))
    changes.loose += [Loose("release", kept.row.id, event, account="") for event in events]


def _folded(row: Release, events: Sequence[Event], at: int) -> Release:
    for event in events:
        row = gate.evolve(row, event, at)
    return row


def _document(kind: str, id: str, version: int, at: int, data: object) -> rows.Document:
    return rows.Document("", kind, id, version, at, msgspec.json.encode(data).decode())
