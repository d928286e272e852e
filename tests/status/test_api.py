"""The JSON is what existing status clients read: a strict decoder and a published client, used as it is, are the judges."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heliograph.projections.public.api import FILES
from heliograph.projections.public.board import Board
from heliograph.services import postmortems, status_page
from heliograph.web.status.publishing import write_site
from heliograph.web.status.site import draw
from tests.status import strict
from tests.status.square import Square, square


def answer(board: Board, name: str) -> Any:
    """A file as a strict client reads it."""
    made = draw(board, f"/status/api/v2/{name}")
    assert made is not None and made.media_type == "application/json"
    return msgspec.json.decode(made.body, type=strict.FILES[name])


def raw(board: Board, name: str) -> Any:
    made = draw(board, f"/status/api/v2/{name}")
    assert made is not None
    return json.loads(made.body)


def test_every_file_has_its_judge() -> None:
    assert set(strict.FILES) == set(FILES)


async def through_a_whole_story(here: Square) -> list[Board]:
    """Boards of every phase, calm first."""
    boards = [await here.board()]
    case = await here.trouble()
    boards.append(await here.board())
    await status_page.write_note(here.town.context, case.incident.id, "Typed.", locale="en", actor="operator")
    boards.append(await here.board())
    for home in here.town.homes:
        home.key.revoked = False
    for _ in range(12):
        await here.run(10)
        boards.append(await here.board())
    for section in ("summary", "cause"):
        await postmortems.write_section(here.town.context, case.incident.id, section, "x", locale="en", author="o", actor="operator")
    await postmortems.publish(here.town.context, case.incident.id, actor="operator")
    await here.run(31)
    boards.append(await here.board())
    return boards


async def test_every_file_in_every_phase_has_the_shape(tmp_path: Path, database: str) -> None:
    async with square(tmp_path, database=database) as here:
        boards = await through_a_whole_story(here)
        phases = set()
        for board in boards:
            files = {name: answer(board, name) for name in FILES}
            summary: strict.Summary = files["summary.json"]
            assert files["status.json"] == strict.StatusFile(summary.page, summary.status)
            assert files["components.json"].components == summary.components
            assert files["incidents/unresolved.json"].incidents == summary.incidents
            assert all(incident.resolved_at is None and incident.status != "resolved" for incident in summary.incidents)
            phases |= {incident.status for incident in files["incidents.json"].incidents}
            for incident in files["incidents.json"].incidents:
                times = [strict.moment(update.created_at) for update in incident.incident_updates]
                assert times == sorted(times, reverse=True)
                assert strict.moment(incident.started_at) <= strict.moment(incident.created_at)
        assert phases == {"identified", "monitoring", "resolved", "postmortem"}


async def test_ours_stands_beside_it_in_three_languages(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        await here.trouble()
        [incident] = raw(await here.board(), "summary.json")["incidents"]
        assert set(incident["translations"]) == {"es", "pt-BR"} and incident["affected_count"] == 3
        assert incident["resend"]["waiting"] == 3 and incident["postmortem_url"] is None
        for update in incident["incident_updates"]:
            assert set(update["translations"]) == {"es", "pt-BR"}
            assert len({update["body"], *(each["body"] for each in update["translations"].values())}) == 3
            assert not any(each["untranslated"] for each in update["translations"].values())
        board = await here.board()
        assert [component["status"] for component in raw(board, "components.json")["components"]] == ["major_outage"]
        assert raw(board, "status.json")["status"] == {"indicator": "critical", "description": "Major Service Outage"}


async def test_the_list_ends_after_fifty(tmp_path: Path) -> None:
    async with square(tmp_path) as here:
        case = await here.trouble()
        many = [case._replace(incident=case.incident._replace(id=f"inc_{n}", number=n)) for n in range(60)]
        board = (await here.board())._replace(cases=tuple(many))
        assert len(answer(board, "incidents.json").incidents) == 50


# --- an independent client -----------------------------------------------------------------------

#: Runs a published exporter of status pages, unmodified, on one address and prints what it understood.
CLIENT = """
import json, sys
from statuspage_prometheus_exporter.service_checker import SERVICES, check_service_status
print(json.dumps({key: check_service_status(key, service) for key, service in SERVICES.items()}))
"""


class Silent(http.server.SimpleHTTPRequestHandler):
    """As `python -m http.server` serves a folder, without its log."""

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A plain file server, as anybody would use for the static copy."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def understood(folder: Path, url: str) -> dict[str, Any]:
    """What the client makes of a page."""
    folder.mkdir(exist_ok=True)
    services = folder / "services.json"
    services.write_text(json.dumps({"heliograph": {"name": "Heliograph", "url": f"{url}/status/api/v2/summary.json"}}))
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], cwd=folder, env=os.environ | {"SERVICES_JSON_PATH": str(services)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1])["heliograph"])


@pytest.mark.parametrize("when", ["calm", "trouble", "over"])
async def test_a_published_client_understands_it(tmp_path: Path, when: str) -> None:
    pytest.importorskip("statuspage_prometheus_exporter")
    async with square(tmp_path / "town") as here:
        if when != "calm":
            await here.trouble()
        if when == "over":
            await here.recovery()
        write_site(await here.board(), tmp_path / "site")
        with served(tmp_path / "site") as url:
            found = understood(tmp_path / "client", url)
    assert found["success"] is True, found
    states = [(component["name"], component["status"]) for component in found["component_metadata"]]
    if when != "trouble":
        assert (found["status"], found["raw_status"], found["incident_metadata"]) == (1, "none", [])
        assert states == [("Sunshine Conversations", "operational")]
        return
    assert (found["status"], found["raw_status"]) == (0, "critical")
    assert states == [("Sunshine Conversations", "major_outage")]
    [incident] = found["incident_metadata"]
    assert incident["status"] == "identified" and incident["impact"] == "critical"
    assert incident["affected_components"] == ["Sunshine Conversations"]
    assert incident["shortlink"] == f"https://status.example.org/status/incidents/{incident['id']}"
