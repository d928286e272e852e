"""Files of comments: what a contact sends is shown or saved, and never run."""

from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath

from heliograph.domain.content import Media
from heliograph.services import inbound_files
from heliograph.services.context import Missing
from heliograph.services.parts import load_contents
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.workspace.asking import Asked, running

#: What browsers show as a picture and cannot run, by how the bytes begin: nobody's word is taken for it.
PICTURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def picture(data: bytes) -> str:
    """The media type of a picture that may be shown, or ""."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in PICTURES if data.startswith(start)), "")


@get("/desk/comments/{comment:str}/files/{index:int}", opt={"need": Need.READ})
async def file(request: Asked, comment: FromPath[str], index: FromPath[int]) -> Response[bytes]:
    """The file at that place of a comment's contents: a picture to be shown, anything else as a download."""
    account, store = current(request).account, running(request).context.store
    row = await store.comment(account, comment)
    contents = load_contents(row.body) if row is not None else []
    media = contents[index] if 0 <= index < len(contents) else None
    if row is None or not isinstance(media, Media):
        raise Missing("file")
    try:
        data = await inbound_files.data_of(running(request).context, account, row, index)
    except inbound_files.NotThere:
        raise Refused(502, "The provider does not hand out this file now. Try again later.") from None
    shown = picture(data)
    headers = {
        "cache-control": "private, max-age=86400",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(media.name or 'file', safe='')}",
    }
    return Response(data, media_type=shown or "application/octet-stream", headers=headers)
