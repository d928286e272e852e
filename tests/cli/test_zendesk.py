"""The app for Zendesk, as the command line packs it: complete, valid, for one installation, and one that Zendesk can install."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from heliograph.cli.main import main
from heliograph.cli.zendesk import packed
from heliograph.services import desk_links
from tests.web.installation import house

URL = "https://heliograph.example.com"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_MASTER_KEY", bytes(range(32)).hex())


def read(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        return {each.filename: zipped.read(each) for each in zipped.infolist()}


def package(place: Path, *more: str, code: int = 0) -> dict[str, bytes]:
    out = place / "app.zip"
    assert main(["zendesk", "package", "--data", str(place / "desk"), "--out", str(out), *more]) == code
    return read(out.read_bytes()) if code == 0 else {}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    assert main(["account", "create", "Lighthouse", "--admin", "Sam", "--data", str(tmp_path / "desk")]) == 0
    return tmp_path


def test_it_names_this_installation_and_holds_no_secret_but_the_address(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    files = package(place, "--url", URL, "--json")
    told = json.loads(capsys.readouterr().out)
    manifest, requirements = json.loads(files["manifest.json"]), json.loads(files["requirements.json"])
    address = requirements["channel_integrations"]["heliograph"]["manifest_url"]
    assert address == told["manifest"] and address.startswith(f"{URL}/zendesk/service/") and address.endswith("/manifest.json")
    assert manifest["domainWhitelist"] == ["heliograph.example.com"]
    parameters = {each["name"]: each for each in manifest["parameters"]}
    assert parameters["address"]["default"] == URL
    assert parameters["token"]["secure"] is True and parameters["token"]["scopes"] == ["header"] and "default" not in parameters["token"]
    assert b'heliograph.example"' not in b"".join(files.values()), "nothing of the example is left"
    again = package(place, "--url", URL + "/")
    assert again == files, "the same installation makes the same app"


def test_the_command_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zendesk", "package", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "For example:" in told and "Exit codes: 0" in told


def test_it_has_what_zendesk_asks_for(place: Path) -> None:
    files = package(place, "--url", URL)
    manifest = json.loads(files["manifest.json"])
    assert manifest["frameworkVersion"] == "2.0" and manifest["defaultLocale"] == "en"
    assert set(manifest["location"]["support"]) == {"top_bar", "background"}
    for spot in manifest["location"]["support"].values():
        assert spot["url"] in files
    for name, side in (("assets/logo.png", 320), ("assets/logo-small.png", 128)):
        assert files[name].startswith(b"\x89PNG") and files[name][16:24] == side.to_bytes(4, "big") * 2
    assert {f"translations/{each}.json" for each in ("en", "es", "pt-br")} <= files.keys()
    for name in ("assets/iframe.html", "assets/background.html"):
        page = files[name].decode()
        assert [part.split('"')[0] for part in page.split('src="')[1:] if "://" in part.split('"')[0]] == [
            "https://static.zdassets.com/zendesk_app_framework_sdk/2.0/zaf_sdk.min.js"
        ]


@pytest.mark.parametrize(
    "url", ["", "http://heliograph.example.com", "https://heliograph.example.com/x", "heliograph.example.com", "https://"]
)
def test_an_address_that_zendesk_cannot_call_is_refused(place: Path, url: str) -> None:
    package(place, *(("--url", url) if url else ()), code=2)


def test_the_setting_is_the_default(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_PUBLIC_URL", URL)
    assert URL in package(place)["requirements.json"].decode()


async def test_zendesk_installs_it_and_reads_our_manifest(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        key = desk_links.service_key(made.application.context)
        archive = packed(made.url, f"{made.url}/zendesk/service/{key}/manifest.json")
        form = FormData()
        form.add_field("app", archive, filename="heliograph.zip", content_type="application/zip")
        async with made.http.post(f"{made.sandbox.url}/sandbox/zendesk/app", data=form) as answer:
            assert answer.status == 200, await answer.text()
        integration = next(iter(made.sandbox.sandbox.zendesk.center.integrations.values()))

        async def standing() -> Any:
            return integration.manifest or integration.faults

        await made.eventually(standing, bool)
        assert integration.faults == [] and integration.manifest
        assert {"pull_url", "channelback_url", "clickthrough_url", "event_callback_url"} <= integration.manifest.urls.keys()
