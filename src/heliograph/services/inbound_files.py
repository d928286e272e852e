"""Files that contacts send are copied at once: providers keep them for days, or minutes, and an agent may look next month."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import cast

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.content import Content, Media
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import FetchesMedia, PollFailed
from heliograph.ports.store import Changes, Conflict, Loose, Unavailable
from heliograph.services.channels import Connected
from heliograph.services.context import Context, Missing
from heliograph.services.parts import load_contents
from heliograph.services.sealed import Sealed

#: One document for each comment that has files to be copied, by the comment's id.
KIND = "inbound_files"
#: Microseconds: for how long one who fetches is given before another one tries, between tries that fail, and until it is given up.
TAKEN, FIRST, LONGEST, GIVEN_UP = 300 * SECOND, 5 * SECOND, 3600 * SECOND, 3 * 86_400 * SECOND
#: Comments of an account whose files are fetched one after the other, accounts that are served at once (each may hold the bytes of a
#: large file), and seconds between looks at what others have got meanwhile.
ROUND, AT_ONCE, LOOK = 20, 8, 1.0


class Waiting(msgspec.Struct):
    """What is to be done about one comment. Times in microseconds."""

    channel: str
    ticket: str
    since: int
    ready_at: int
    tries: int = 0


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
    return _document(account, comment, 1, Waiting(channel, ticket, now, now), now)


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


async def step(context: Context) -> None:
    """Fetch what is due, accounts beside each other: one whose files take long keeps no other waiting.

    Several processes may run it: whoever notes first that it fetches does.
    """
    running: dict[str, asyncio.Task[bool]] = {}
    failed: set[str] = set()
    async with asyncio.TaskGroup() as tasks:
        while True:
            for account, due in (await _due(context)).items():
                if account not in running and account not in failed and len(running) < AT_ONCE:
                    running[account] = tasks.create_task(_copy_all(context, due))
            if not running:
                return
            done, _ = await asyncio.wait(running.values(), timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            failed |= {account for account, task in running.items() if task in done and not task.result()}
            running = {account: task for account, task in running.items() if task not in done}


async def _due(context: Context) -> dict[str, list[tuple[rows.Document, Waiting]]]:
    """By account: whoever has waited longest first."""
    now = context.clock.now()
    found = [(document, _waiting(document)) for document in await context.store.documents_of_all(KIND)]
    by_account: dict[str, list[tuple[rows.Document, Waiting]]] = {}
    for each in sorted((each for each in found if each[1].ready_at <= now), key=lambda each: each[1].ready_at):
        by_account.setdefault(each[0].account, []).append(each)
    return by_account


async def _copy_all(context: Context, due: Sequence[tuple[rows.Document, Waiting]]) -> bool:
    """The first of an account; False where the store ended it."""
    try:
        for document, waiting in due[:ROUND]:
            await _copy(context, document, waiting)
    except (Unavailable, Conflict) as passing:
        context.observe("round_failed", {"error": type(passing).__name__})
        return False
    return True


async def _copy(context: Context, document: rows.Document, waiting: Waiting) -> None:
    now, account, comment = context.clock.now(), document.account, document.id
    taken = msgspec.structs.replace(waiting, ready_at=now + TAKEN, tries=waiting.tries + 1)
    try:
        await context.store.commit(Changes(account, now, puts=[_document(account, comment, document.version + 1, taken, now)]))
    except Conflict:
        return
    lost = await _missing(context, account, comment, waiting)
    after = context.clock.now()
    changes = Changes(account, after)
    if not lost or after - waiting.since > GIVEN_UP:
        changes.puts.append(rows.DropDocument(account, KIND, comment))
        changes.loose += [Loose("ticket", waiting.ticket, ev.PartNotCarried("file", comment), waiting.channel)] * lost
    else:
        later = after + min(FIRST * 2 ** min(waiting.tries, 20), LONGEST)
        again = msgspec.structs.replace(taken, ready_at=later)
        changes.puts.append(_document(account, comment, document.version + 2, again, after))
    await context.store.commit(changes)
    context.observe("inbound_files", {"channel": waiting.channel, "missing": lost, "tries": taken.tries})


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


def _waiting(document: rows.Document) -> Waiting:
    return msgspec.json.decode(document.data, type=Waiting)


def _document(account: str, comment: str, version: int, waiting: Waiting, now: int) -> rows.Document:
    return rows.Document(account, KIND, comment, version, now, msgspec.json.encode(waiting).decode())
