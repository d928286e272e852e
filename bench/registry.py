"""Every contestant of the benchmark, in the order of the table. A new one is registered here and nowhere else."""

from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["provider", "limit", "heliograph", "peer", "figures"]
Need = Literal["postgres", "redis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One line of the benchmark.

    `name` is its key in `build/bench.json`; `module` is started as `python -m <module>` (see `bench.job.main`).
    `kind`: *provider* (how fast the judge itself is), *limit* (the bare client), *heliograph*, *peer*, or *figures*:
    one that only returns figures (latency, growth, memory …), is not judged by the provider and not in the table.
    `replies`, `quick_replies`: how many, chosen so that one run takes seconds, not minutes; 0 in quick leaves it out.
    `keeps_order`: what it promises; one that promises order and breaks it fails the run. `rounds`: in how many rounds it takes
    part at most; one that takes its own turns needs no more than one.
    """

    name: str
    label: str
    module: str
    kind: Kind
    replies: int
    quick_replies: int
    conversations: int = 200
    concurrency: int = 64
    needs: frozenset[Need] = frozenset()
    keeps_order: bool = True
    options: dict[str, int | float | str] = field(default_factory=dict)
    timeout_s: int = 180
    rounds: int = 99


_POSTGRES: frozenset[Need] = frozenset({"postgres"})

PEERS = (
    Contestant(
        name="procrastinate",
        label="procrastinate, a lock per conversation",
        module="bench.peers.procrastinate_peer",
        kind="peer",
        replies=3_000,
        quick_replies=1_200,
        concurrency=16,
        needs=_POSTGRES,
        options={"connections": 12, "workers": 4},
    ),
    Contestant(
        name="dbos",
        label="DBOS, a queue partitioned by conversation",
        module="bench.peers.dbos_peer",
        kind="peer",
        replies=1_500,
        quick_replies=500,
        needs=_POSTGRES,
        options={"connections": 20, "enqueuers": 16, "poll_s": 0.02},
    ),
    Contestant(
        name="celery",
        label="Celery on Redis (keeps no order)",
        module="bench.peers.celery_peer",
        kind="peer",
        replies=3_000,
        quick_replies=1_200,
        needs=frozenset({"redis"}),
        keeps_order=False,
        options={"pool": "prefork", "slots": 2, "prefetch": 16},
    ),
)

_BURST = Contestant(
    name="burst",
    label="another account's replies while 10,000 of one account wait",
    module="bench.contestants.burst",
    kind="figures",
    replies=40_000,
    quick_replies=6_000,
    options={"waiting": 10_000, "quick_waiting": 1_000, "per_second": 100},
    timeout_s=400,
    rounds=1,
)

# Heliograph's own: one entry for each way of running it that is measured, and for each figure.
HELIOGRAPH = (
    Contestant(
        name="sqlite",
        label="Heliograph on SQLite",
        module="bench.contestants.end_to_end",
        kind="heliograph",
        replies=20_000,
        quick_replies=6_000,
    ),
    Contestant(
        name="postgres",
        label="Heliograph on PostgreSQL, one worker",
        module="bench.contestants.end_to_end",
        kind="heliograph",
        replies=8_000,
        quick_replies=2_500,
        needs=_POSTGRES,
    ),
    Contestant(
        name="postgres_2",
        label="Heliograph on PostgreSQL, two workers",
        module="bench.contestants.end_to_end",
        kind="heliograph",
        replies=8_000,
        quick_replies=2_500,
        needs=_POSTGRES,
        options={"workers": 2},
    ),
    Contestant(
        name="sqlite_http",
        label="Heliograph on SQLite, replies by its HTTP API",
        module="bench.contestants.over_http",
        kind="heliograph",
        replies=6_000,
        quick_replies=1_500,
    ),
    Contestant(
        name="held_100k",
        label="with 100,000 replies held on another channel",
        module="bench.contestants.held",
        kind="figures",
        replies=32_000,
        quick_replies=8_000,
        options={"held": 100_000, "quick_held": 10_000, "turns": 8},
        timeout_s=400,
        rounds=1,
    ),
    Contestant(
        name="latency",
        label="latency at 200 replies a second",
        module="bench.contestants.latency",
        kind="figures",
        replies=4_000,
        quick_replies=600,
        options={"per_second": 200},
    ),
    Contestant(
        name="drain_10k",
        label="10,000 held replies going out",
        module="bench.contestants.drain",
        kind="figures",
        replies=10_000,
        quick_replies=2_000,
    ),
    Contestant(
        name="hanging",
        label="with another provider that hangs",
        module="bench.contestants.hanging",
        kind="figures",
        replies=48_000,
        quick_replies=8_000,
        options={"waiting": 10_000, "quick_waiting": 4_000, "turns": 12, "per_second": 100},
        timeout_s=400,
        rounds=1,
    ),
    _BURST,
    replace(_BURST, name="burst_postgres", label="the same on PostgreSQL", replies=16_000, quick_replies=0, needs=_POSTGRES),
    Contestant(
        name="ledger_growth",
        label="cost of a reply as the ledger grows",
        module="bench.contestants.growth",
        kind="figures",
        replies=32_000,
        quick_replies=6_000,
        options={"small": 10_000, "large": 10_000_000, "quick_large": 100_000, "turns": 8},
        timeout_s=1_500,
        rounds=1,
    ),
    Contestant(
        name="footprint",
        label="time to ready, and memory after work",
        module="bench.contestants.footprint",
        kind="figures",
        replies=2_000,
        quick_replies=300,
    ),
)

CONTESTANTS: tuple[Contestant, ...] = (
    Contestant(
        name="provider",
        label="the provider alone, over raw connections",
        module="bench.peers.wire",
        kind="provider",
        replies=60_000,
        quick_replies=30_000,
    ),
    Contestant(
        name="bare_client",
        label="the bare aiohttp client: the limit",
        module="bench.peers.bare",
        kind="limit",
        replies=30_000,
        quick_replies=10_000,
    ),
    *HELIOGRAPH,
    *PEERS,
)
