"""Runs scenarios one after the other, each with a fresh place, on each store that there is."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from heliograph.drill import chance, deploys, outages, strain
from heliograph.drill.place import place
from heliograph.drill.processes import NotDrilled
from heliograph.drill.scenario import Run, Scenario, as_json

SCENARIOS = (
    Scenario("A", "6 August 2020: a deploy with wrong variables", deploys.refused),
    Scenario("B", "The same, forced through beside the running release", deploys.forced),
    Scenario("B2", "Forced through with no healthy release left", deploys.nobody_passes),
    Scenario("C", "The service is down while a repair is deployed", deploys.upstream_down),
    Scenario("D", "A key is revoked with no deploy", outages.key_revoked),
    Scenario("E", "One account's own token dies", outages.one_account),
    Scenario("F", "Nine minutes of it", outages.key_revoked),
    Scenario("G", "A wrong master key, and a wrong store", deploys.wrong_key_and_store),
    Scenario("H", "A deploy with a wrong webhook secret", deploys.wrong_webhook_secret),
    Scenario("I", "Answered 201, and failed by receipt", outages.failed_by_receipt),
    Scenario("J", "A reboot with bad settings and nobody to compare with", outages.reboot_with_bad_settings),
    Scenario("K", "Half of the lanes on a bad release: what the others lose", strain.half_the_lanes, stores=("postgres",)),
    Scenario("L", "A backlog goes out under the service's rate limit", strain.drained_at_a_limit),
)
#: Seconds that trouble lasts in a drill, and how long nine minutes are when they are compressed.
OUTAGE, NINE_MINUTES, COMPRESSED = 5.0, 540.0, 20.0


async def drill(
    letters: Sequence[str], *, server: str, uncompressed: bool, sqlite: bool, tell: Callable[[dict[str, Any]], None], keep: Path | None,
    drawn: int = 0, seed: str = "",
) -> list[dict[str, Any]]:  # fmt: skip
    """Run the scenarios that `letters` name (all, where it is empty). `server`: a PostgreSQL address on which databases may be made.

    `drawn`: so many that are drawn by chance, from `seed`, each on one of the stores; of the others then only what `letters` name.
    `keep`: a folder in which everything that the processes wrote stays.
    """
    results = []
    stores = [name for name, there in (("sqlite", sqlite), ("postgres", bool(server))) if there]
    chosen = [scenario for scenario in SCENARIOS if scenario.letter in letters or not (letters or drawn)]
    for scenario in [*chosen, *chance.scenarios(drawn, seed, tuple(stores))]:
        for store in stores:
            if store in scenario.stores:
                result = await _one(scenario, store, server, uncompressed=uncompressed, keep=keep)
                results.append(result)
                tell(result)
    return results


async def _one(scenario: Scenario, store: str, server: str, *, uncompressed: bool, keep: Path | None) -> dict[str, Any]:
    folder = (keep or Path(tempfile.mkdtemp(prefix="heliograph-drill-"))) / f"{scenario.letter.replace('/', '-')}-{store}"
    outage = OUTAGE if scenario.letter != "F" else NINE_MINUTES if uncompressed else COMPRESSED
    begun = time.monotonic()
    try:
        async with _database(server if store == "postgres" else "") as database, place(folder, database) as made:
            run = Run(made, outage)
            try:
                await scenario.run(run)
            except (NotDrilled, TimeoutError) as broken:
                run.missed.append(f"it could not be drilled to its end: {str(broken) or 'out of time'}")
    finally:
        if keep is None:
            shutil.rmtree(folder.parent, ignore_errors=True)
    return as_json(scenario, store, run) | {"seconds": round(time.monotonic() - begun, 1)}


@contextlib.asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    """The address of a fresh database, dropped afterwards; "" for SQLite."""
    if not server:
        yield ""
        return
    name = f"drill_{time.monotonic_ns()}"
    await _carry_out(server, f"CREATE DATABASE {name}")
    try:
        yield _named(server, name)
    finally:
        await _carry_out(server, f"DROP DATABASE {name} WITH (FORCE)")


def _named(server: str, name: str) -> str:
    """The same server, another database: what stands between the host and the options."""
    address, mark, options = server.partition("?")
    scheme, _, rest = address.partition("://")
    host, _, _ = rest.partition("/")
    return f"{scheme}://{host}/{name}{mark}{options}"


async def _carry_out(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
