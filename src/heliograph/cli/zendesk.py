"""`heliograph zendesk`: what an admin of Zendesk installs."""

import io
import zipfile
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter

from heliograph.bootstrap.application import Application
from heliograph.cli.looking import looking
from heliograph.cli.options import HERE, OK, USAGE, Fault, Place, print_json, say, settings_of
from heliograph.services import desk_links

app = App(name="zendesk", help="Make what an admin of Zendesk installs.")
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object.")]
#: Every file of the archive has this time: the same installation makes the same archive.
_TIME = (2026, 1, 1, 0, 0, 0)
#: Zendesk calls nobody but by https; a simulated one on this machine has no certificate.
_LOCAL = ("127.0.0.1", "localhost", "::1")


@app.command
def package(*, url: str = "", out: Path = Path("heliograph-zendesk.zip"), json: Json = False, place: Place = HERE) -> int:
    """Write the zip file of the app that an admin of Zendesk uploads. It names this installation's address, and holds no token.

    For example: heliograph zendesk package --url https://heliograph.example.com

    Exit codes: 0 written · 1 a problem, which is told · 2 the address is none.

    Parameters
    ----------
    url
        Where Zendesk and its agents reach this installation. Default: the setting public_url.
    out
        The file to write. Default: heliograph-zendesk.zip
    """
    base = _address(url or settings_of(place).public_url)

    async def asked(application: Application) -> str:
        return desk_links.service_key(application.context)

    manifest = f"{base}/zendesk/service/{looking(place, asked)}/manifest.json"
    try:
        out.write_bytes(packed(base, manifest))
    except OSError as broken:
        raise Fault(f"{out} cannot be written: {broken.strerror}.") from broken
    if json:
        print_json({"file": str(out), "address": base, "manifest": manifest})
    else:
        say(f"Wrote {out}.", "Upload it in Zendesk: Admin Center, Apps and integrations, Zendesk Support apps, Upload private app.",
            "The address in it is a secret of this installation: give the file to that admin only.")  # fmt: skip
    return OK


def packed(base: str, manifest: str) -> bytes:
    """The app's archive for the installation at `base`, whose integration's manifest is at `manifest`."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in sorted(_files(resources.files("heliograph.cli").joinpath("zendesk_app"), "").items()):
            if name == "manifest.json":
                data = _told(data, base)
            if name == "requirements.json":
                data = _written({"channel_integrations": {"heliograph": {"manifest_url": manifest}}})
            zipped.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _files(folder: Traversable, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in folder.iterdir():
        if each.is_dir():
            found |= _files(each, f"{prefix}{each.name}/")
        else:
            found[prefix + each.name] = each.read_bytes()
    return found


def _told(data: bytes, base: str) -> bytes:
    manifest = msgspec.json.decode(data)
    manifest["version"] = version("heliograph")
    # Zendesk sends a secure setting to these hosts only.
    manifest["domainWhitelist"] = [urlsplit(base).hostname]
    manifest["author"]["email"] = f"heliograph@{urlsplit(base).hostname}"
    for parameter in manifest["parameters"]:
        if parameter["name"] == "address":
            parameter["default"] = base
    return _written(manifest)


def _written(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _address(url: str) -> str:
    if not url:
        raise Fault("Say where Zendesk reaches this installation: --url https://…, or the setting public_url.", code=USAGE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    local = parts.scheme == "http" and host in _LOCAL
    if not host or not (parts.scheme == "https" or local) or parts.path.strip("/") or parts.query or parts.username is not None:
        raise Fault("The address must be https:// and a host, without a path: Zendesk calls no other.", code=USAGE)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
