"""Files that contacts send are copied at once: providers keep them for days, or minutes, and an agent may look next month."""

import hashlib
from collections.abc import Sequence
from typing import cast

from heliograph.domain import events as ev
from heliograph.domain.content import Content, Media
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import FetchesMedia, PollFailed
from heliograph.ports.store import Loose
from heliograph.services.channels import Connected
from heliograph.services.context import Context, Missing
from heliograph.services.follow_up import Followed, FollowUp, Found
from heliograph.services.parts import load_contents
from heliograph.services.sealed import Sealed

#: One document for each comment that has files to be copied, by the comment's id.
KIND = "inbound_files"
#: Microseconds: for how long one who fetches is given before another one tries, and until it is given up.
TAKEN, GIVEN_UP = 300 * SECOND, 3 * 86_400 * SECOND


class Waiting(Followed, kw_only=True):
    """A comment whose files are to be copied."""

    ticket: str


class NotThere(Exception):
    """The provider does not hand the file out now."""


def key_of(comment: str, index: int) -> str:
    """Where the file at that place of a comment's contents is kept."""
    return f"med_{hashlib.sha256(f'{comment} {index}'.encode()).hexdigest()[:32]}"


def to_fetch(contents: Sequence[Content]) -> bool:
    """Whether any of it is still with the provider."""
    return any(isinstance(content, Media) and content.file is None and content.remote for content in contents)


def noted(account: str, comment: str, *, channel: str, ticket: str, now: int) -> rows.Document:
    """To be committed with the comment: from then on its files are fetched until they are here."""
    return FILES.noted(account, comment, Waiting(channel, now, now, ticket=ticket))


async def data_of(context: Context, account: str, comment: rows.CommentRead, index: int) -> bytes:
    """The bytes of a file of a comment: our copy, else from the provider. Raises Missing, NotThere."""
    contents = load_contents(comment.body)
    media = contents[index] if 0 <= index < len(contents) else None
    if not isinstance(media, Media):
        raise Missing("file")
    try:
        return await context.files.get(media.file or key_of(comment.id, index))
    except KeyError:
        if media.file is not None:
            raise Missing("file") from None
    ticket = await context.store.ticket(account, comment.ticket)
    connected = await context.channels.get(account, ticket.channel) if ticket is not None else None
    return await _fetched(context, connected, comment.id, index, media)


async def _fetched(context: Context, connected: Connected | None, comment: str, index: int, media: Media) -> bytes:
    if connected is None or isinstance(connected.provider, Sealed):
        raise NotThere
    if "fetch_media" not in connected.spec.capabilities:
        raise Missing("file")
    try:
        data = await cast("FetchesMedia", connected.provider).fetch_media(media)
    except PollFailed as failed:
        raise NotThere from failed
    except Exception as bug:
        # What one file's address does to a provider must not end the round of all others.
        context.observe("provider_bug", {"provider": connected.spec.name, "error": type(bug).__name__})
        raise NotThere from None
    await context.files.put(key_of(comment, index), data)
    return data


async def _ask(context: Context, account: str, comment: str, waiting: Waiting) -> Found:
    """Copy what is not here of a comment; what is not to be had in the end is said on its ticket."""
    missing = await _missing(context, account, comment, waiting)
    return Found(not missing, loose=[Loose("ticket", waiting.ticket, ev.PartNotCarried("file", comment), waiting.channel)] * missing)


async def _missing(context: Context, account: str, comment: str, waiting: Waiting) -> int:
    """Fetch all files of a comment that are not here; returns how many could not be."""
    row = await context.store.comment(account, comment)
    if row is None:
        return 0
    connected = await context.channels.get(account, waiting.channel)
    missing = 0
    for index, content in enumerate(load_contents(row.body)):
        if not isinstance(content, Media) or content.file is not None:
            continue
        try:
            await context.files.get(key_of(comment, index))
        except KeyError:
            try:
                await _fetched(context, connected, comment, index, content)
            except (NotThere, Missing):
                missing += 1
    return missing


FILES = FollowUp(KIND, Waiting, TAKEN, GIVEN_UP, _ask)
