"""What a provider that hangs costs the others: two stores in turns in one process, and the latency while it begins to hang."""

import asyncio
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.contestants.installation import Bench, Installation, install, running
from bench.contestants.silent import SilentProvider
from bench.contestants.steady import figures, waits, write_steadily
from bench.contestants.turns import costs_per_reply
from bench.job import Job, Result, main
from bench.payload import Reply, text_of

#: Accounts with a channel at the provider that hangs, and the conversations of each.
ACCOUNTS, CONVERSATIONS = 20, 250
#: Conversations of the others in which they write steadily.
FEW = 50
#: Replies that it still answers.
ANSWERED = 1_000
#: For how many seconds the others write steadily, and the number of their first reply, beyond those of all turns.
STEADY, LATER = 12, 1_000_000


async def run(job: Job) -> Result:
    """`options`: "waiting", how many replies wait for the provider that hangs ("quick_waiting"); "turns"; "per_second".

    First the others write at a steady rate while it stops to answer in the middle of its work, with as much of it under way as may be.
    Then each store is measured in turns, as fast as it goes. Calls and connections are as many as by default.
    """
    turns, waiting = int(job.options["turns"]), int(job.options["quick_waiting" if job.quick else "waiting"])
    per_second = float(job.options["per_second"])
    per_turn = job.replies // (2 * turns)
    jobs = {name: replace(job, scratch=str(Path(job.scratch) / name)) for name in ("without", "with")}
    silent = SilentProvider()
    async with (
        running(jobs["without"], work=False, as_shipped=True) as plain,
        running(jobs["with"], work=False, as_shipped=True) as burdened,
    ):
        installations = {
            name: await install(bench, job, [f"{name}{number:05d}" for number in range(job.conversations)])
            for name, bench in (("without", plain), ("with", burdened))
        }
        await _burden(burdened, job, waiting, await silent.start())
        plain.worker.start()
        quiet = await _steadily(installations["without"], per_second)
        burdened.worker.start()
        await burdened.until_recorded(ANSWERED)
        silent.hangs.set()
        troubled = await _steadily(installations["with"], per_second)
        costs = await costs_per_reply(installations, turns=turns, per_turn=per_turn)
        under_way = burdened.worker.delivery.busy
        left = sum(row.number for row in await burdened.application.context.store.waiting())
        silent.close()
    pairs = list(zip(costs["without"], costs["with"], strict=True))
    return Result(
        figures={
            # Paired within a turn: what disturbs the machine for minutes disturbs both.
            "hanging.cost": 1 - median(without.seconds / hung.seconds for without, hung in pairs),
            "hanging.cpu_cost": 1 - median(without.cpu / hung.cpu for without, hung in pairs),
            "hanging.replies_per_s": 1 / median(hung.seconds for _, hung in pairs),
            "hanging.replies_per_s_without": 1 / median(without.seconds for without, _ in pairs),
            "hanging.calls_under_way": under_way,
            "hanging.waiting": left,
        }
        | figures("hanging.latency_ms", await waits(job.provider, troubled))
        | {"hanging.latency_ms.p99_without": figures("", await waits(job.provider, quiet))[".p99"]}
    )


async def _steadily(installation: Installation, per_second: float) -> dict[tuple[str, int], int]:
    few = list(installation.tickets)[:FEW]
    work = [Reply(few[n % FEW], LATER + n, text_of(LATER + n)) for n in range(int(per_second * STEADY))]
    return await write_steadily(installation, work, per_second=per_second)


async def _burden(bench: Bench, job: Job, waiting: int, provider: str) -> None:
    """Accounts whose channels are at the provider that hangs, all writing at once."""
    each = waiting // ACCOUNTS

    async def one(number: int) -> None:
        addresses = [f"s{number:02d}_{conversation:04d}" for conversation in range(CONVERSATIONS)]
        account = await install(bench, job, addresses, provider=provider, name=f"silent {number}")
        await account.accept(
            Reply(addresses[n % CONVERSATIONS], n // CONVERSATIONS + 1, text_of(n // CONVERSATIONS + 1)) for n in range(each)
        )

    await asyncio.gather(*map(one, range(ACCOUNTS)))


if __name__ == "__main__":
    main(run)
