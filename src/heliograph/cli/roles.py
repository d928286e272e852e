"""`heliograph serve` and `heliograph work`: one half each, for installations on PostgreSQL with more than one process."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import Parameter

from heliograph.cli.assembly import Pages, Process, Roles
from heliograph.cli.options import HERE, Place, config_of, err, say, settings_of
from heliograph.cli.pages import desk_pages
from heliograph.cli.running import Afterwards, alone, listen, run


async def _desk(_: Process) -> tuple[Pages, Callable[[], Awaitable[None]]]:
    async def nothing() -> None:
        """Nothing else to end."""

    return desk_pages(), nothing


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on. Default: 127.0.0.1")] = None,
    port: Annotated[int | None, Parameter(help="Port; 0 takes a free one. Default: 8420")] = None,
    place: Place = HERE,
) -> int:
    """See texts.SERVE."""
    settings = settings_of(place, host=host)
    config = config_of(settings, create_key=True)
    alone(config)
    listening, url = listen(settings, port=port, fallback=False)

    def announce(_: Process) -> None:
        say(f"Heliograph serves: {url}")
        if not config.database:
            err.print("On SQLite one process works on the store: replies are saved, and wait until `heliograph up` or `work` runs instead.")

    roles = Roles(listening, work=False, concurrency=settings.concurrency, lease=settings.lease_seconds)
    return run(config, roles, settings, after=Afterwards(announce), prepare=_desk)


def work(*, place: Place = HERE) -> int:
    """See texts.WORK."""
    settings = settings_of(place)
    config = config_of(settings, create_key=True)
    roles = Roles(None, work=True, concurrency=settings.concurrency, lease=settings.lease_seconds)
    return run(config, roles, settings, after=Afterwards(lambda process: say(f"Heliograph works on {_store(process)}")))


def _store(process: Process) -> str:
    return "PostgreSQL" if process.application.config.database else str(process.application.config.data / "heliograph.db")
