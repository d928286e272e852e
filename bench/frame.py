"""Runs contestants one after another, in rotation, and lets the provider judge each."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import provider_control
from bench.figures import Run
from bench.job import Job, parse_result
from bench.registry import Contestant
from bench.services import Postgres, flush


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything the contestants share. `missing`: why a need cannot be met; `logs`: where their stderr goes."""

    provider: str
    postgres: Postgres | None
    redis: str
    missing: dict[str, str]
    logs: Path
    quick: bool
    say: Callable[[str], None]

    def rounds(self, contestants: Sequence[Contestant], count: int) -> list[Run]:
        """`count` rounds; each begins one contestant later, so that no one always runs on the same neighbour's heels."""
        runs: list[Run] = []
        for number in range(count):
            start = number % len(contestants)
            for contestant in (one for one in (*contestants[start:], *contestants[:start]) if number < one.rounds):
                run = self._once(contestant, number)
                runs.append(run)
                self.say(_line(run, count))
        return runs

    def _once(self, contestant: Contestant, number: int) -> Run:
        replies = contestant.quick_replies if self.quick else contestant.replies
        # At least five replies to a conversation, or order would not be tested.
        conversations = max(1, min(contestant.conversations, replies // 5))
        why_not = next((self.missing[need] for need in sorted(contestant.needs) if need in self.missing), "")
        if why_not:
            return Run(contestant=contestant, round=number, replies=replies, why_not=why_not)
        provider_control.reset(self.provider)
        if self.redis and "redis" in contestant.needs:
            flush(self.redis)
        postgres = self.postgres.database() if self.postgres and "postgres" in contestant.needs else ""
        try:
            with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
                job = Job(
                    name=contestant.name,
                    replies=replies,
                    conversations=conversations,
                    concurrency=contestant.concurrency,
                    provider=self.provider,
                    scratch=scratch,
                    postgres=postgres,
                    redis=self.redis if "redis" in contestant.needs else "",
                    quick=self.quick,
                    options=contestant.options,
                )
                return self._judged(contestant, number, job)
        finally:
            if self.postgres and postgres:
                self.postgres.drop(postgres)

    def _judged(self, contestant: Contestant, number: int, job: Job) -> Run:
        """Run the contestant's process to its end and ask the provider what it took. A crash is a fault, and the others go on."""
        log = self.logs / f"{contestant.name}-{number + 1}.log"
        try:
            result = parse_result(_output(contestant, job, log))
        except (RuntimeError, ValueError) as error:
            return Run(
                contestant=contestant, round=number, replies=job.replies, why_not=f"{error}, see build/bench/{log.name}", broken=True
            )
        report = provider_control.report(self.provider)
        return Run(contestant=contestant, round=number, replies=job.replies, result=result, report=report, why_not=result.not_measured)


def _output(contestant: Contestant, job: Job, log: Path) -> str:
    """What the contestant printed. Its process and all that it left running are gone afterwards, whatever happened."""
    command = [sys.executable, "-m", contestant.module]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            cwd=provider_control.ROOT,
        )
        try:
            printed, _ = process.communicate(json.dumps(asdict(job)), timeout=contestant.timeout_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"took longer than {contestant.timeout_s} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")
    return printed


def _line(run: Run, rounds: int) -> str:
    head = f"round {run.round + 1}/{rounds}  {run.contestant.name:<16}"
    if run.why_not:
        return f"{head} not measured: {run.why_not}"
    if run.contestant.kind == "figures" and run.result is not None:
        return head + "  ".join(f"{key} {value:g}" for key, value in run.result.figures.items())
    clean = "every reply once, in order" if run.contestant.keeps_order else "every reply once"
    return f"{head} {run.rate:>9,.0f} replies/s   {', '.join(run.faults()) or clean}"
