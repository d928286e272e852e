"""Two processes on one PostgreSQL hand everything over once between them; when one ends, the other goes on."""

from pathlib import Path
from typing import Any

from heliograph.bootstrap.application import Config, build
from heliograph.desks.zendesk.desk import ZendeskDesk
from heliograph.worker import desking
from heliograph.worker.desking import Desking
from tests.databases import TEMPLATE, fresh_database
from tests.web.installation import ALLOW
from tests.zendesk.town import QUICK, town


async def test_the_other_one_goes_on(tmp_path: Path, postgres_server: Any, monkeypatch: Any) -> None:
    number = 6
    monkeypatch.setattr(desking, "TURN", 0.1)
    async with fresh_database(postgres_server, TEMPLATE) as dsn, town(tmp_path / "one", database=dsn) as here:
        other = await build(Config(tmp_path / "two", b"k" * 32, database=dsn, allow_networks=ALLOW))
        other.desk = ZendeskDesk(other._http, client="heliograph_push", loopback=True)  # type: ignore[arg-type]
        second = Desking(other.context, other.desk, url=here.house.url, pauses=QUICK)
        other.noticing.append(second.noticed)
        second.start()
        try:
            for each in range(number):
                await here.contact_writes(f"message {each}")
                if each == number // 2:
                    await here.desking.stop()
        finally:
            await second.stop()
            await other.close()
        # What was under way as the one ended is handed over again.
        assert here.zendesk.center.imported == number and here.zendesk.center.repeats <= 1
