"""Gauges of what detection, incidents and releases say: counted by kind, so that a large installation has no more of them."""

from collections import Counter

from prometheus_client import CollectorRegistry, Gauge

from heliograph.domain.gate import SENDING, Stage
from heliograph.domain.health import Condition
from heliograph.ports.store import Store
from heliograph.services import detection, incidents, releases

#: Detectors whose alarms are counted, so that one that is silent shows as 0.
DETECTORS = ("fleet", "release", "channel", "credential", "hold", "spread", "waiting", "heartbeat")
#: Those that add up a score.
SUMS = ("fleet", "release", "channel", "credential")
SEVERITIES = ("minor", "major", "critical")


class Gauges:
    """One per process, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"heliograph_{name}", text, labels, registry=registry)

        self._open = gauge(
            "incidents_open", "Incidents that are not over, of the installation or of one account alone", "scope", "severity"
        )
        self._alarms = gauge("alarms", "Alarms of the detectors that are raised", "detector")
        self._scores = gauge(
            "detector_score", "The highest score of a detector, as a share of its limit: at 1 it raises an alarm", "detector"
        )
        self._shared = gauge("shared_credential_held", "1 while the version of a shared credential that sends is on hold", "credential")
        self._releases = gauge("releases", "Releases by stage, fenced and retired ones of the past included", "stage")
        self._processes = gauge("processes", "Processes that said lately that they run")

    async def read(self, store: Store, now: int) -> None:
        """Set all of them. Raises Unavailable."""
        await self._read_incidents(store)
        await self._read_detectors(store)
        await self._read_releases(store, now)

    async def _read_incidents(self, store: Store) -> None:
        live = await incidents.live_incidents(store)
        found = Counter(("account" if one.account else "installation", one.severity.value) for one in live)
        for scope in ("installation", "account"):
            for severity in SEVERITIES:
                self._open.labels(scope, severity).set(found[scope, severity])

    async def _read_detectors(self, store: Store) -> None:
        state, _ = await detection.read(store)
        raised = Counter(alarm.detector for alarm in state.alarms.values())
        for detector in DETECTORS:
            self._alarms.labels(detector).set(raised[detector])
        scores = dict.fromkeys(SUMS, 0.0)
        for run in state.runs.values():
            if run.detector in scores and run.limit:
                scores[run.detector] = max(scores[run.detector], run.score / run.limit)
        for detector, score in scores.items():
            self._scores.labels(detector).set(score)

    async def _read_releases(self, store: Store, now: int) -> None:
        known = await releases.releases(store)
        stages = Counter(kept.row.stage for kept in known)
        for stage in Stage:
            self._releases.labels(stage).set(stages[stage])
        self._processes.set(sum(len(processes) for processes in (await releases.running(store, now)).values()))
        held: dict[str, int] = {}
        # A version that no release sends with any more stays as it was, and troubles nobody.
        for kept in known:
            if kept.row.stage in SENDING:
                for name, fingerprint in kept.credentials.items():
                    health = await store.health("", "credential", f"{name}@{fingerprint}")
                    held[name] = max(held.get(name, 0), int(health is not None and health.condition is Condition.HELD))
        self._shared.clear()
        for name, value in held.items():
            self._shared.labels(name).set(value)
