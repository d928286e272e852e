"""What the settings name is what a running process tells."""

import asyncio
from pathlib import Path

import pytest

from heliograph.bootstrap.application import build
from heliograph.bootstrap.live import Live
from heliograph.bootstrap.settings import SettingsError, load
from heliograph.bootstrap.watch import outward, stories
from heliograph.cli.assembly import Roles, assemble
from heliograph.cli.options import config_of
from heliograph.domain.incident import Incident
from heliograph.domain.incident_events import IncidentOpened
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services import incidents
from heliograph.services.context import Context
from heliograph.services.heartbeat import Heartbeats
from tests.notices.outside import Outside, outside

KEY = "6b" * 32


def environment(folder: Path, there: Outside) -> dict[str, str]:
    return {
        "HELIOGRAPH_DATA": str(folder), "HELIOGRAPH_MASTER_KEY": KEY,
        "HELIOGRAPH_OPERATORS": f"{there.target('one')} {there.target('two')}",
        "HELIOGRAPH_ALERTMANAGER_URL": there.url, "HELIOGRAPH_HEARTBEAT_URL": f"{there.url}/beat",
        "HELIOGRAPH_SMTP_URL": "smtp://user:hush@127.0.0.1:1", "HELIOGRAPH_MAIL_FROM": "desk@example.org",
        "HELIOGRAPH_PUBLIC_URL": "https://desk.example/",
    }  # fmt: skip


async def open_incident(context: Context) -> Incident:
    """One of the installation, as its events make it."""
    book = await incidents.Book.read(context.store)
    changes = Changes("", context.clock.now())
    now = changes.at
    book.index.live.append(("", "inc_1"))
    book.add(changes, "inc_1", [IncidentOpened("", Reason.BAD_CREDENTIALS, now, now, 1, "sunshine")])
    book.add_index(changes)
    await context.store.commit(changes)
    return book.incidents["inc_1"]


async def test_a_process_pages_beats_and_alerts_by_itself(tmp_path: Path) -> None:
    async with outside() as there:
        config = config_of(load(environment(tmp_path, there)))
        assert "hush" not in repr(config) and "json://" not in repr(config) and config.ways.url == "https://desk.example"
        process = await assemble(config, Roles(None, work=True, concurrency=4, lease=60))
        await process.work()
        try:
            await open_incident(process.application.context)
            async with asyncio.timeout(5):
                while {path for _, path, _ in there.taken} != {"/one", "/two", "/api/v2/alerts", "/beat"}:
                    await asyncio.sleep(0.05)
        finally:
            await process.close()


async def test_without_settings_nobody_outside_is_told(tmp_path: Path) -> None:
    config = config_of(load({"HELIOGRAPH_DATA": str(tmp_path), "HELIOGRAPH_MASTER_KEY": KEY}))
    application = await build(config)
    try:
        assert application.outside.mail is None and application.outside.alerts is None and application.outside.pulse is None
        await open_incident(application.context)
        for step in outward(application, Heartbeats(application.context, application.outside.pulse), stories(application)):
            await step()
    finally:
        await application.close()


@pytest.mark.parametrize("alone", ["HELIOGRAPH_SMTP_URL", "HELIOGRAPH_MAIL_FROM"])
def test_a_mail_server_and_a_sender_go_together(alone: str) -> None:
    value = {"HELIOGRAPH_SMTP_URL": "smtp://host", "HELIOGRAPH_MAIL_FROM": "desk@example.org"}[alone]
    with pytest.raises(SettingsError, match="go together"):
        load({alone: value})


async def test_open_pages_hear_of_a_notice_and_not_of_who_has_seen_it() -> None:
    live = Live()
    with live.subscribe("acc_1") as queue:
        live.noticed(Changes("acc_1", 1, puts=[rows.Document("acc_1", "seen", "inc_1.agt_1", 1, 1, "{}")]))
        assert queue.empty()
        live.noticed(Changes("acc_1", 1, puts=[rows.Document("acc_1", "notice", "inc_1.agt_1", 1, 1, "{}")]))
        assert queue.get_nowait() == "notices"
        live.noticed(Changes("acc_1", 1, puts=[rows.DropDocument("acc_1", "notice", "inc_1.agt_1")]))
        assert queue.get_nowait() == "notices"
