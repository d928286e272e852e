"""`heliograph up`: everything in one process."""

import webbrowser
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from heliograph.bootstrap.demo import demo_config, discard, plan_demo, start_demo
from heliograph.bootstrap.settings import DEFAULT_DATA, Settings
from heliograph.cli.assembly import Pages, Process, Roles
from heliograph.cli.beside import beside as take_over
from heliograph.cli.candidacy import Candidacy
from heliograph.cli.options import HERE, USAGE, Fault, Place, again, config_of, out, release_of, say, settings_of
from heliograph.cli.pages import demonstration_pages, desk_pages
from heliograph.cli.replay.replay import Replay
from heliograph.cli.running import Afterwards, alone, listen, run, running


def up(
    *,
    demo: Annotated[bool, Parameter(negative="", help="Start the demonstration even where there is a data folder.")] = False,
    host: Annotated[str | None, Parameter(help="Address to listen on. Default: 127.0.0.1")] = None,
    port: Annotated[int | None, Parameter(help="Port; 0 takes a free one. Default: 8420")] = None,
    browser: Annotated[bool, Parameter(help="Open a browser (only from a terminal).")] = True,
    beside: Annotated[bool, Parameter(negative="", help="Take over from the process that runs, once let through; else end.")] = False,
    within: Annotated[float, Parameter(help="With --beside: seconds to be let through.")] = 60.0,
    force: Annotated[str, Parameter(help="With --beside: why to pass the gate all the same; kept and shown.")] = "",
    share: Annotated[int, Parameter(help="With --force on PostgreSQL: on how many of 100 conversations.")] = 100,
    report: Annotated[int, Parameter(show=False)] = -1,
    place: Place = HERE,
) -> int:
    """See texts.UP."""
    settings = settings_of(place, host=host)
    real = bool(settings.data or settings.database_url or Path(DEFAULT_DATA).is_dir())
    if demo and place.data is not None:
        raise Fault("A demonstration keeps nothing: leave --data away, or leave --demo away.", code=USAGE)
    if demo or not real:
        return _demonstrate(settings, port, open_browser=browser)
    asked = Asked(within, force, share, report) if beside else None
    return _run(settings, port, place, asked)


class Asked(NamedTuple):
    """How a candidate takes over."""

    within: float
    force: str
    share: int
    report: int


def _command(settings: Settings, port: int, place: Place) -> list[str]:
    """How this process can be started once more, whatever the folder it is started in."""
    options = ["--host", settings.host, "--port", str(port), "--no-browser", "--data", str(settings.folder.resolve())]
    return ["up", *options, *(("--config", str(place.config.resolve())) if place.config is not None else ())]


def _run(settings: Settings, port: int | None, place: Place, asked: Asked | None) -> int:
    config = config_of(settings, create_key=True)
    listening = None
    if asked is None:
        alone(config)
        listening, url = listen(settings, port=port, fallback=False)
        bound = listening.getsockname()[1]
    else:
        bound = settings.port if port is None else port
        url = f"http://{settings.host}:{bound}"
    roles = Roles(listening, work=True, concurrency=settings.concurrency, lease=settings.lease_seconds)

    async def prepare(_: Process) -> tuple[Pages, Callable[[], Awaitable[None]]]:
        return desk_pages(), _nothing

    def announce(_: Process) -> None:
        say(
            f"Heliograph is ready: {url}",
            f"Its data: {config.data.resolve()}",
            f'New here? heliograph account create "Your organisation" --admin "Your name"{again(place)}',
        )

    command = _command(settings, bound, place)
    if asked is None:
        return run(config, roles, settings, after=Afterwards(announce, command), prepare=prepare)
    within, force, share, report = asked
    how = Candidacy(settings.host, bound, within, force, share, report, command, prepare, announce)
    return running(settings, lambda: take_over(config, roles, how))


def _demonstrate(settings: Settings, port: int | None, *, open_browser: bool) -> int:
    listening, url = listen(settings, port=port, fallback=True)
    plan = plan_demo(url)
    config = demo_config(plan, release=release_of(settings))
    roles = Roles(listening, work=True, concurrency=settings.concurrency, lease=settings.lease_seconds)

    async def prepare(process: Process) -> tuple[Pages, Callable[[], Awaitable[None]]]:
        demo = await start_demo(process.application, plan)
        # A demonstration takes part in releases: its keys are shared ones.
        assert process.gatekeeper is not None
        replay = Replay(process.application, demo, process.gatekeeper)

        async def end() -> None:
            await replay.stop()
            await demo.stop()

        return demonstration_pages(demo, replay), end

    def announce(_: Process) -> None:
        say(
            f"Heliograph is ready: {url}",
            "A demonstration: the customer's phone, the desk, and what the sandbox counts. No login, and it reaches nobody.",
            f"Its data are in {config.data} and are gone when it stops (Ctrl-C).",
            f"Now with your own phone: paste a Telegram bot token at {url}/desk/channels",
        )
        if open_browser and out.is_terminal:
            webbrowser.open_new_tab(url)

    try:
        return run(config, roles, settings, after=Afterwards(announce), prepare=prepare)
    finally:
        discard(config)


async def _nothing() -> None:
    """Nothing else to end."""
