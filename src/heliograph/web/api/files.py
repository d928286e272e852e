"""Files: upload one before a comment names it, and fetch one back as a download that no browser runs."""

import re
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter

from heliograph.ports import rows
from heliograph.services import files
from heliograph.services.context import Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, PathId, context
from heliograph.web.auth import current
from heliograph.web.policy import API
from heliograph.web.problems import Refused

MEDIA_TYPE = re.compile(r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}\Z")
FileName = Annotated[str, QueryParameter(min_length=1, max_length=300, description="The name that the contact sees")]


class FileShape(msgspec.Struct):
    """A kept file. Its `id` goes into a comment's content of type "file"."""

    id: str
    name: str
    media_type: str
    size: int
    created_at: datetime


@post(
    f"{API}/files",
    tags=["files"],
    summary="Upload a file: the body is the file itself",
    opt={"raw": True},
    request_max_body_size=files.LIMIT,
)
async def upload(request: Asked, name: FileName) -> FileShape:
    """Content-Type is the file's type. At most 50 MB."""
    actor = current(request)
    if "\x00" in name:
        raise Refused(400, "Change the fields that are named in errors.", errors=[("name", "contains the character U+0000")])
    media_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if not MEDIA_TYPE.match(media_type):
        raise Refused(400, "Content-Type must name the file's type, such as image/png.", errors=[("Content-Type", "not a media type")])
    data = bytearray()
    async for piece in request.stream():
        data += piece
    row = await files.upload(context(request), actor.account, name=name, media_type=media_type, data=bytes(data), actor=actor.actor)
    return _shape(row)


@get(f"{API}/files/{{file:str}}", tags=["files"], summary="What is known of a file")
async def get_file(request: Asked, file: PathId) -> FileShape:
    """A file by its id."""
    row = await context(request).store.file(current(request).account, file)
    if row is None:
        raise Missing("file")
    return _shape(row)


@get(f"{API}/files/{{file:str}}/content", tags=["files"], summary="The file itself", media_type="application/octet-stream")
async def get_content(request: Asked, file: PathId) -> Response[bytes]:
    """Always as a download."""
    row, data = await files.read(context(request), current(request).account, file)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }
    return Response(data, media_type=row.media_type, headers=headers)


def _shape(row: rows.File) -> FileShape:
    return FileShape(row.id, row.name, row.media_type, row.size, shapes.when(row.created_at))


ROUTES = [upload, get_file, get_content]
