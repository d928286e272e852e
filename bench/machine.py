"""What the figures were measured on: figures without it mean nothing."""

import os
import platform
from pathlib import Path

from bench.figures import Run


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def describe(runs: list[Run], services: dict[str, str]) -> dict[str, float | int | str]:
    """Flat keys: processor, system, load before the run, versions of every contestant's libraries and of the services."""
    flat: dict[str, float | int | str] = {
        "environment.cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "environment.processor": _processor(),
        "environment.system": platform.system(),
    }
    flat |= {f"environment.{name}": value for name, value in services.items() if value}
    for run in runs:
        if run.result is not None:
            flat |= {f"versions.{run.contestant.name}.{package}": found for package, found in run.result.versions.items()}
    return flat
