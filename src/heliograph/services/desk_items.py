"""What a desk is given: comments that were not written there, from the ledger, with their files where it can fetch them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import assert_never
from urllib.parse import quote

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.ports import rows
from heliograph.ports.desk import Item
from heliograph.services import inbound_files
from heliograph.services.context import Context, Missing
from heliograph.services.desk_links import Linked
from heliograph.services.files import LIMIT
from heliograph.services.parts import load_contents

#: Whoever answers on the business side, but not through us.
BUSINESS = "business"
#: Of a file's name in its address.
LONGEST = 100
KINDS = frozenset({ev.MessageReceived.kind, ev.ReplyQueued.kind})


class FileLater(Exception):
    """The provider does not hand out a file now."""


async def item_of(context: Context, linked: Linked, event: rows.EventRead, *, files: bool = True) -> Item | None:
    """The comment that an event is about, as the desk gets it; None where it is none for the desk.

    `files` False leaves files with the provider and names them only. Raises FileLater.
    """
    if event.kind not in KINDS or event.channel != linked.channel:
        return None
    comment = await _comment(context, event)
    if comment is None or not comment.body or comment.author == linked.link.agent:
        return None
    contents = load_contents(comment.body)
    urls, named = await _files(context, linked, comment, contents, files=files)
    by_contact = comment.author_kind == "contact"
    text = "\n".join(line for line in [*(_words(content) for content in contents), *named] if line)
    return Item(
        comment.id, comment.ticket, text, comment.occurred_at if by_contact else comment.created_at, comment.author or BUSINESS,
        comment.author_name or ("" if by_contact else "Heliograph"), tuple(urls),
    )  # fmt: skip


async def _comment(context: Context, event: rows.EventRead) -> rows.CommentRead | None:
    data: dict[str, object] = msgspec.json.decode(event.data)
    id = str(data.get("comment", ""))
    if event.kind == ev.ReplyQueued.kind:
        if data.get("part") != 1:
            return None
        delivery = await context.store.delivery(event.account, event.subject)
        id = delivery.comment if delivery is not None else ""
    return await context.store.comment(event.account, id) if id else None


async def _files(
    context: Context, linked: Linked, comment: rows.CommentRead, contents: Sequence[Content], *, files: bool
) -> tuple[list[str], list[str]]:
    """Addresses of the files, and a line for each that has none."""
    urls: list[str] = []
    named: list[str] = []
    for number, content in enumerate(contents):
        if not isinstance(content, Media):
            continue
        kept = content if content.file is not None else await _fetched(context, linked, comment, number, content) if files else None
        if kept is not None and len(quote(kept.name)) > LONGEST:
            # Desks take addresses of a few hundred characters, and the name is a part of it.
            kept = replace(kept, name=f"file{PurePosixPath(kept.name).suffix if kept.name.isascii() else ''}")
        url = context.channels.addresses.file(kept, now=context.clock.now()) if kept is not None else ""
        urls += [url] if url else []
        named += [] if url else [f"[{content.name or content.kind.value}]"]
    return urls, named


async def _fetched(context: Context, linked: Linked, comment: rows.CommentRead, number: int, media: Media) -> Media | None:
    """The file as our copy of it, which is made now where there is none yet; None where nobody hands it out. Raises FileLater."""
    try:
        data = await inbound_files.data_of(context, linked.account, comment, number)
    except inbound_files.NotThere as later:
        raise FileLater from later
    except Missing:
        return None
    return replace(media, file=inbound_files.key_of(comment.id, number), remote=None) if len(data) <= LIMIT else None


def _words(content: Content) -> str:
    match content:
        case Text(body):
            return body
        case Media():
            return content.caption
        case Location(latitude, longitude, name, address):
            where = f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}"
            return "\n".join(line for line in (name, address, where) if line)
        case Rich(_, summary, _):
            return summary
        case _:
            assert_never(content)
