"""Counters of this process and gauges of the store, for Prometheus."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

from heliograph.bootstrap.gauges import Gauges
from heliograph.domain.gate import Stage
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Store
from heliograph.services import releases
from heliograph.services.quarantine import KIND

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Channels that are shown one by one, at most.
CHANNELS = 100
_TOLD = {
    "operator_paged": ("page", "taken"),
    "operator_not_paged": ("page", "refused"),
    "admin_not_mailed": ("mail", "refused"),
    "heartbeat_lost": ("heartbeat", "refused"),
    #: On purpose: something is not well.
    "heartbeat_withheld": ("heartbeat", "withheld"),
}
__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """One per process. Labels are names of kinds and ids of channels: never an account, a contact or a text."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._page: asyncio.Task[bytes] | None = None
        self._rendered_at = 0
        self.registry = CollectorRegistry()
        self._attempts = self._counter("attempts", "Attempts to hand a message to a provider", "provider", "outcome", "reason")
        self._seconds = Histogram(
            "heliograph_attempt_seconds", "How long a provider took to answer", ("provider",), buckets=_SECONDS, registry=self.registry
        )
        self._unmapped = self._counter("unmapped_codes", "Provider codes that no table of ours knows", "provider")
        self._inbound = self._counter("inbound", "Items that providers handed in", "kind", "new")
        self._webhooks = self._counter("webhooks", "Webhook calls: taken, or why they were not", "provider", "outcome")
        self._refused_writes = self._counter("store_unavailable", "Requests that were told that nothing was saved", "route")
        self._probes = self._counter("probes", "Checks of credentials and identity", "provider", "outcome")
        self._polls = self._counter("polls_failed", "Rounds of asking a service for news that it did not answer", "provider", "reason")
        self._bugs = self._counter("bugs", "Faults of this software that were caught and written down", "place")
        self._desks = self._counter("desk_troubles", "Calls to a desk or by one that came to nothing, and failures it told of", "why")
        self._rounds = self._counter("rounds_failed", "Rounds of background loops that will be made again", "error")
        self._told = self._counter("told", "Words that were carried out of the installation, or were not", "way", "outcome")
        for way, outcome in _TOLD.values():
            # There from the beginning: what appears with its first count does not show as a rise.
            self._told.labels(way, outcome)
        self._paged = Histogram(
            "heliograph_page_seconds", "From the first failure until operators were paged", buckets=_SECONDS, registry=self.registry
        )
        self._deliveries = self._gauge("deliveries", "Replies' parts by state", "state")
        self._kept = self._gauge("quarantined_calls", "Webhook calls that are kept because they could not be verified")
        self._released = self._counter("quarantine_released", "Rounds in which kept webhook calls were verified after all", "channel")
        self._overflowed = self._counter("quarantine_full", "Webhook calls that could not be verified nor kept", "channel")
        self._unaccounted = self._gauge(
            "unaccounted", "Replies' parts that were written and are in no state: anything but 0 is a loss, or a read between two writes"
        )
        self._waiting = self._gauge("waiting", "Replies' parts that are not with the provider yet", "channel", "state")
        self._oldest = self._gauge("oldest_waiting_seconds", "Age of the oldest one that waits", "channel")
        self._holds = self._gauge("holds", "Channels and credential versions on hold or in trial", "kind", "condition")
        self._stages = self._gauge("release_stage", "1 for the stage at which this process's release is", "release", "stage")
        self._on_hold = self._gauge("sending_on_hold", "1 while no release that runs may send")
        self._more = Gauges(self.registry)
        #: The release of this process, "" where it takes no part.
        self.release = ""

        #: What each of these counts, and which of its fields are the labels.
        self._counted: dict[str, tuple[Counter, tuple[str, ...]]] = {
            "inbound_taken": (self._inbound, ("kind", "new")),
            "webhook_refused": (self._webhooks, ("provider", "why")),
            "store_unavailable": (self._refused_writes, ("route",)),
            "quarantine_released": (self._released, ("channel",)),
            "quarantine_full": (self._overflowed, ("channel",)),
            "probe_concluded": (self._probes, ("provider", "outcome")),
            "poll_failed": (self._polls, ("provider", "reason")),
            "desk_trouble": (self._desks, ("reason",)),
            "desk_refused": (self._desks, ("why",)),
            "round_failed": (self._rounds, ("error",)),
            "claim_failed": (self._rounds, ("error",)),
        }

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"heliograph_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"heliograph_{name}", text, labels, registry=self.registry)

    def observe(self, name: str, fields: Mapping[str, str | int | float]) -> None:
        """Count what has happened; see ports.runtime.Observe. What is not counted is ignored."""
        if name == "attempt_concluded":
            self._attempted(fields)
        elif name == "webhook_taken":
            self._webhooks.labels(str(fields["provider"]), "taken").inc()
        elif name.endswith("_bug"):
            self._bugs.labels(name.removesuffix("_bug")).inc()
        elif name == "desk_happening" and fields["failed"]:
            self._desks.labels("told").inc()
        elif name in _TOLD:
            self._told.labels(*_TOLD[name]).inc()
            if "seconds" in fields:
                self._paged.observe(float(fields["seconds"]))
        elif name in self._counted:
            counter, labels = self._counted[name]
            counter.labels(*(str(fields[label]) for label in labels)).inc()

    def _attempted(self, fields: Mapping[str, str | int | float]) -> None:
        provider = str(fields["provider"])
        self._attempts.labels(provider, str(fields["outcome"]), str(fields["reason"])).inc()
        self._seconds.labels(provider).observe(float(fields["seconds"]))
        if fields["reason"] == Reason.OTHER:
            self._unmapped.labels(provider).inc()

    async def render(self, store: Store) -> bytes:
        """Everything in Prometheus' text format, the store's gauges read now or within the last second. Raises Unavailable.

        It counts whole tables, so who asks at the same time, or just after, shares one page.
        """
        if self._page is None or (self._page.done() and abs(self._now() - self._rendered_at) >= SECOND):
            self._page = asyncio.create_task(self._render(store))
            self._page.add_done_callback(self._rendered)
        # Whoever hangs up leaves the page to the others.
        return await asyncio.shield(self._page)

    def _rendered(self, page: asyncio.Task[bytes]) -> None:
        self._rendered_at = self._now()
        if page.cancelled() or page.exception() is not None:
            self._page = None

    async def _render(self, store: Store) -> bytes:
        accounts = await store.accounts()
        states: dict[str, int] = {}
        holds: dict[tuple[str, str], int] = {}
        written = 0
        for account in accounts:
            for state, number in (await store.counts(account.id)).items():
                states[state] = states.get(state, 0) + number
            written += await store.written(account.id)
        for health in await store.unwell():
            holds[health.kind, health.condition] = holds.get((health.kind, health.condition), 0) + 1
        for gauge in (self._deliveries, self._waiting, self._oldest, self._holds):
            gauge.clear()
        self._unaccounted.set(written - sum(states.values()))
        self._kept.set(sum(each.number for each in await store.documents_measured(KIND)))
        for state, number in states.items():
            self._deliveries.labels(state).set(number)
        for (kind, condition), number in holds.items():
            self._holds.labels(kind, condition).set(number)
        self._tell_of_waiting(await store.waiting())
        await self._tell_of_releases(store)
        await self._more.read(store, self._now())
        return generate_latest(self.registry)

    def _tell_of_waiting(self, waiting: Sequence[rows.Waiting]) -> None:
        """Of the channels on which it waits longest; `deliveries` has what waits in all."""
        oldest: dict[str, int] = {}
        for row in waiting:
            oldest[row.channel] = min(oldest.get(row.channel, row.oldest_at), row.oldest_at)
        shown = dict(sorted(oldest.items(), key=lambda item: item[1])[:CHANNELS])
        for channel, at in shown.items():
            self._oldest.labels(channel).set(max(0.0, (self._now() - at) / SECOND))
        for row in waiting:
            if row.channel in shown:
                self._waiting.labels(row.channel, row.state).set(row.number)

    async def _tell_of_releases(self, store: Store) -> None:
        if not self.release:
            return
        mine, _ = await releases.read(store, self.release)
        self._stages.clear()
        for stage in Stage:
            self._stages.labels(self.release, stage).set(int(mine is not None and mine.row.stage is stage))
        self._on_hold.set(int(not await releases.anybody_sends(store, self._now())))
