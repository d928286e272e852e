"""Files of comments: what a contact sends is shown or saved, and never run."""

from typing import cast
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath

from heliograph.domain.content import Media
from heliograph.ports.provider import FetchesMedia, PollFailed
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
    data = await _bytes(request, row.ticket, media)
    shown = picture(data)
    headers = {
        "cache-control": "private, max-age=86400",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(media.name or 'file', safe='')}",
    }
    return Response(data, media_type=shown or "application/octet-stream", headers=headers)


async def _bytes(request: Asked, ticket_id: str, media: Media) -> bytes:
    context, account = running(request).context, current(request).account
    if media.file is not None:
        try:
            return await context.files.get(media.file)
        except KeyError:
            raise Missing("file") from None
    ticket = await context.store.ticket(account, ticket_id)
    channel = await context.store.channel(account, ticket.channel) if ticket is not None else None
    connected = await context.channels.get(channel.account, channel.id) if channel is not None else None
    if connected is None or "fetch_media" not in connected.spec.capabilities:
        raise Missing("file")
    try:
        return await cast("FetchesMedia", connected.provider).fetch_media(media)
    except PollFailed:
        raise Refused(502, "The provider does not hand out this file now. Try again later.") from None
