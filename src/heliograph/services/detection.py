"""Read what the ledger says since the last time, fold it into the detectors, and write down what they find: once, whoever does it."""

from typing import NamedTuple

import msgspec

from heliograph.domain.detectors import silence
from heliograph.domain.detectors.attribution import Attribution, Tally, attribute
from heliograph.domain.detectors.detect import fold
from heliograph.domain.detectors.scores import Finding, Scores
from heliograph.domain.detectors.signal import Meaning, Signal, meaning
from heliograph.domain.detectors.silence import Beat
from heliograph.domain.detectors.state import Alarm, State
from heliograph.domain.detectors.stopped import end_hold, window
from heliograph.ports import rows
from heliograph.ports.store import Changes, Loose, Store
from heliograph.services.context import Context, retrying

KIND, ID = "detector", "state"
#: Documents in which each process says every few seconds that it runs, see services.releases.
PROCESS = "process"
#: Signals read at a time; a reading that fills it is followed by the next at once.
SHARE = 2_000
READINGS = 50
#: Events without a signal after which the place is kept all the same, so that they are not gone through again and again.
SKIPPED = 2_000
#: A ledger with more events than this at the first start is not gone through from its beginning.
YOUNG = 100_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode


class _Process(msgspec.Struct):
    """What matters here of a process's document."""

    release: str
    started_at: int
    seen_at: int


_process = msgspec.json.Decoder(_Process).decode


async def step(context: Context) -> list[Alarm]:
    """Bring the detectors up to date with the ledger. Returns the alarms that this call raised; `alarms` says which there are.

    May run in several processes and end at any point: state, place in the ledger and events are one act with compare-and-set.
    Raises Unavailable, or Conflict where others are always quicker.
    """
    raised: list[Alarm] = []
    for _ in range(READINGS):
        found, more = await retrying(lambda: _step(context))
        raised += found
        if not more:
            break
    return raised


async def alarms(store: Store) -> list[Alarm]:
    """All that are raised and not over, the oldest first."""
    return sorted((await read(store))[0].alarms.values(), key=lambda alarm: alarm.raised_at)


async def failing(store: Store) -> frozenset[tuple[str, str]]:
    """Channels, as (account, channel), on which messages have failed lately, as of the last `step`."""
    return frozenset((run.account, run.id) for run in (await read(store))[0].runs.values() if run.detector == "channel")


async def read(store: Store) -> tuple[State, int]:
    """What detection knows, and the version of its document (0: none yet)."""
    document = await store.document("", KIND, ID)
    return (_decode(document.data), document.version) if document is not None else (State(), 0)


class Comparison(NamedTuple):
    """A release's first attempts of the last minutes, and what they say beside those of `other` ("" where no other sends)."""

    other: str
    mine: Tally
    others: Tally
    attribution: Attribution


async def compare(store: Store, release: str) -> Comparison:
    """Whether a release fails where another one succeeds, as of the last `step`. One that never sent is undecided."""
    state, _ = await read(store)
    if release not in state.releases:
        return Comparison("", Tally(0, 0), Tally(0, 0), attribute(Tally(0, 0), Tally(0, 0)))
    mine, other, others = window(state, release)
    return Comparison(other, mine, others, attribute(mine, others))


async def _step(context: Context) -> tuple[list[Alarm], bool]:
    store, now = context.store, context.clock.now()
    state, version = await read(store)
    if not version:
        mark = (await store.signals_after(0, 0, limit=0))[-1]
        if mark.seq > YOUNG:
            state.place, state.seq = mark.place, mark.seq
    *signals, mark = await store.signals_after(state.place, state.seq, limit=SHARE)
    more = len(signals) == SHARE
    end = signals[-1] if more else mark
    idle = mark.seq - state.seq <= SKIPPED
    look = now - state.looked_at >= silence.LOOK
    if version and not signals and idle and not look and not _due(state):
        return [], False
    before = _still(state)
    await _owners(store, state, signals)
    changes = Changes("", now)
    found = fold(state, signals, now=now)
    if look:
        found += await _look(context, state, changes)
    if (end.place, end.seq) >= (state.place, state.seq):
        state.place, state.seq = end.place, end.seq
    if version and not signals and idle and not look and not found and _still(state) == before:
        return [], False
    changes.puts.append(rows.Document("", KIND, ID, version + 1, now, _encode(state).decode()))
    changes.loose += [_loose(finding) for finding in found]
    await context.failpoint("detection:before_commit")
    await store.commit(changes)
    for finding in found:
        if finding.alarm is not None:
            context.observe(finding.event.kind, {"detector": finding.alarm.detector, "subject": finding.alarm.subject})
    return [f.alarm for f in found if f.alarm is not None and f.alarm.key in state.alarms], more


def _due(state: State) -> bool:
    """Whether time alone may change something."""
    return bool(state.trips or state.suspects or state.spreads or any(not hold.raised for hold in state.holds.values()))


def _still(state: State) -> tuple[int, ...]:
    """What tells whether time alone has changed something that is worth writing down."""
    held = sum(hold.raised for hold in state.holds.values())
    return len(state.trips), len(state.suspects), len(state.spreads), len(state.holds), held, len(state.runs), len(state.alarms)


def _loose(finding: Finding) -> Loose:
    """The event on the stream of what it is about."""
    alarm = finding.alarm
    if alarm is None:
        return Loose("release", finding.release, finding.event, account="")
    match alarm.kind:
        case "channel":
            return Loose("channel", alarm.id, finding.event, channel=alarm.id, account=alarm.account)
        case "credential":
            return Loose("credential", alarm.id.partition("@")[0], finding.event, account=alarm.account)
        case _ if alarm.release:
            return Loose("release", alarm.release, finding.event, account="")
        case _:
            return Loose("account", "", finding.event, account="")


async def _owners(store: Store, state: State, signals: list[Signal]) -> None:
    """Find out, for credentials that failed, whether they are their account's own: a shared one is known under its name alone."""
    for signal in signals:
        if signal.attempt is None or meaning(signal) is not Meaning.FAILED:
            continue
        id = signal.credential.partition("@")[0]
        key = f"{signal.account}/{id}"
        if id and key not in state.own:
            state.own[key] = await store.credential(signal.account, id) is not None


async def _look(context: Context, state: State, changes: Changes) -> list[Finding]:
    """What makes no events: lanes that nobody takes, processes that are gone, credentials that were replaced while on hold."""
    now, store = changes.at, context.store
    state.looked_at = now
    scores = Scores(state)
    state.idle, still = silence.unmoved(state.idle, await store.idle_lanes(now), now=now)
    seen = [(document.id, _process(document.data)) for document in await store.documents("", PROCESS)]
    beats = [Beat(id, process.release, process.started_at, process.seen_at) for id, process in seen]
    replaced, gone = silence.departed(beats, now=now)
    changes.puts += [rows.DropDocument("", PROCESS, beat.process) for beat in replaced]
    for alarm in still + gone:
        scores.raise_(alarm)
    lasting = {alarm.key for alarm in still + gone}
    for key, alarm in list(state.alarms.items()):
        if alarm.detector in ("waiting", "heartbeat") and key not in lasting:
            scores.clear(key, now)
    for key, hold in list(state.holds.items()):
        if hold.kind == "credential" and hold.account:
            id, _, fingerprint = hold.id.partition("@")
            row = await store.credential(hold.account, id)
            if row is None or row.fingerprint != fingerprint:
                end_hold(scores, key, now)
    return scores.found
