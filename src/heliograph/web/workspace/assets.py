"""Our own styles and scripts, under addresses that change with their contents, so that browsers may keep them."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery

from heliograph.web.policy import Need
from heliograph.web.problems import Refused

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@cache
def load(name: str) -> tuple[bytes, str, str] | None:
    """A file's (bytes, media type, digest) by its name below web/static, or None."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix not in TYPES:
        return None
    file = resources.files("heliograph.web").joinpath("static", *path.parts)
    if not file.is_file():
        return None
    data = file.read_bytes()
    return data, TYPES[path.suffix], hashlib.blake2b(data, digest_size=8).hexdigest()


def address(name: str) -> str:
    """Where a file is to be had. Raises LookupError for one that is not there."""
    found = load(name)
    if found is None:
        raise LookupError(name)
    return f"/static/{name}?v={found[2]}"


def _names() -> list[str]:
    """Every file there is: what is not listed has no address."""
    top = Path(str(resources.files("heliograph.web").joinpath("static")))
    return sorted(file.relative_to(top).as_posix() for file in top.rglob("*") if file.suffix in TYPES)


@get([f"/static/{name}" for name in _names()], opt={"need": Need.OPEN})
async def asset(request: Request[Any, Any, Any], v: FromQuery[str] = "") -> Response[bytes]:
    """One file."""
    found = load(request.url.path.removeprefix("/static/"))
    if found is None:
        raise Refused(404, "There is no such file.")
    data, media_type, digest = found
    keep = "public, max-age=31536000, immutable" if v == digest else "no-cache"
    return Response(data, media_type=media_type, headers={"cache-control": keep, "x-content-type-options": "nosniff"})
