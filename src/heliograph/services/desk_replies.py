"""Replies that are written in a desk: once each, on disk before the desk is answered, and in the order of their ticket."""

import hashlib
from typing import NamedTuple

import msgspec

from heliograph.domain import desk_events as de, events as ev
from heliograph.domain.content import Content, Text
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.desk import Desk, Door, Fault, Fetched, Trouble, Written
from heliograph.ports.store import Changes, Duplicate, Loose
from heliograph.services import files, reply
from heliograph.services.context import Context, Invalid, Missing
from heliograph.services.desk_links import REMOVED, Linked
from heliograph.services.parts import dump_contents

#: A reply whose files are still with the desk; its id is the comment's.
KIND = "desk_reply"
#: For so long the desk is asked for a file, microseconds.
PATIENCE = 24 * 3_600 * SECOND
MINUTE = 60 * SECOND


class Request(msgspec.Struct, frozen=True):
    """A reply of which the files are still to be fetched; it is gone once that is done."""

    channel: str
    ticket: str
    text: str
    files: list[str]

    def __repr__(self) -> str:
        return "Request(…)"


class Pending(NamedTuple):
    """A request with the comment that it becomes."""

    comment: str
    at: int
    request: Request


async def take(context: Context, linked: Linked, written: Written) -> str:
    """Save a reply; returns the id of its comment, the same one for the same request. Returning means that it is durable.

    Raises Invalid for what is no reply, Missing for a ticket that is not this channel's, Unavailable.
    """
    text = written.text.replace("\r\n", "\n")
    if not text.strip() and not written.files:
        raise Invalid("The reply is empty.")
    ticket = await _ticket(context, linked, written)
    key, told = _key(context, linked, written)
    before = await context.store.answer(linked.account, key)
    if before is not None:
        return before.body
    if linked.link.standing == REMOVED:
        # What was saved before is answered as before; there is nobody any more who could write something new.
        raise Missing("link")

    def answer(comment: str) -> rows.Answer:
        return rows.Answer(linked.account, key, told, 200, comment, context.clock.now())

    try:
        if written.files or await _behind(context, linked, ticket.id):
            return await _later(context, linked, ticket, text, written.files, answer(context.new_id("cmt")))
        made = await reply.reply(
            context, linked.account, ticket.id, agent=linked.link.agent, actor=f"desk:{linked.link.desk}", contents=[Text(text)],
            public=True, answer=lambda written: answer(written.comment),
        )  # fmt: skip
    except Duplicate:
        # The same request came twice at once, and the other one was quicker.
        before = await context.store.answer(linked.account, key)
        if before is None:
            raise
        return before.body
    return made.comment


async def _ticket(context: Context, linked: Linked, written: Written) -> rows.Ticket:
    """The ticket of the thread, or else of the comment that is answered. One of another channel is none."""
    store = context.store
    ticket = await store.ticket(linked.account, written.thread) if written.thread else None
    if ticket is None and written.parent:
        parent = await store.comment(linked.account, written.parent)
        ticket = await store.ticket(linked.account, parent.ticket) if parent is not None else None
    if ticket is None or ticket.channel != linked.channel:
        raise Missing("ticket")
    return ticket


def _key(context: Context, linked: Linked, written: Written) -> tuple[str, str]:
    """What makes a request the same, and a digest of what it says.

    With a blank in it no key of an API client can be the same. What is said is a part of it: a desk that uses an id for two replies must
    not lose the second. A request without an id is the same as an equal one of the same minute, which is a guess.
    """
    said = "\n".join((written.thread, written.parent, written.text))
    request = written.request
    if not request:
        context.observe("desk_reply_unnamed", {"channel": linked.channel})
        said = "\n".join((said, *written.files))
        request = f"minute {context.clock.now() // MINUTE}"
    told = hashlib.sha256(said.encode()).hexdigest()
    name = hashlib.sha256("\n".join((linked.channel, request, told)).encode()).hexdigest()
    return f"desk {name}", told


async def _behind(context: Context, linked: Linked, ticket: str) -> bool:
    """Whether an earlier reply of the ticket still waits for its files."""
    return any(each.request.ticket == ticket for each in await pending(context, linked))


async def _later(context: Context, linked: Linked, ticket: rows.Ticket, text: str, files: tuple[str, ...], answer: rows.Answer) -> str:
    account, comment = linked.account, answer.body
    changes = Changes(account, context.clock.now(), f"desk:{linked.link.desk}")
    request = Request(linked.channel, ticket.id, text, list(files))
    changes.puts += [
        answer,
        rows.Document(account, KIND, comment, 1, changes.at, msgspec.json.encode(request).decode()),
        rows.TouchTicket(account, ticket.id, changes.at),
    ]
    changes.loose.append(Loose("ticket", ticket.id, de.DeskReplyAsked(comment), ticket.channel))
    await context.failpoint("desk_reply:before_commit")
    await context.store.commit(changes)
    await context.failpoint("desk_reply:after_commit")
    return comment


async def pending(context: Context, linked: Linked) -> list[Pending]:
    """Replies of this channel whose files are still to be fetched, oldest first."""
    found = []
    for document in await context.store.documents(linked.account, KIND):
        request = msgspec.json.decode(document.data, type=Request)
        if request.channel == linked.channel:
            found.append(Pending(document.id, document.updated_at, request))
    return sorted(found)


async def finish(context: Context, desk: Desk, linked: Linked, door: Door | None, waiting: Pending) -> Trouble | None:
    """Fetch the files and make the reply; None when it is made, or never will be. Interrupted, it is begun again. Raises Unavailable.

    `door` is None while the desk does not let us in.
    """
    request = waiting.request
    contents = _text(waiting)
    for url in request.files:
        fetched = await _fetched(desk, linked, door, url)
        if isinstance(fetched, Trouble):
            if fetched.fault is not Fault.REFUSED and context.clock.now() - waiting.at < PATIENCE:
                return fetched
            await drop(context, linked, waiting, "file_gone")
            return None
        try:
            row = await files.upload(
                context, linked.account, name=fetched.name, media_type=fetched.media_type, data=fetched.data,
                actor=f"desk:{linked.link.desk}",
            )  # fmt: skip
        except Invalid:
            await drop(context, linked, waiting, "file_refused")
            return None
        contents.append(files.as_media(row))
    await context.failpoint("desk_reply:fetched")
    await _make(context, linked, waiting, contents)
    return None


async def _fetched(desk: Desk, linked: Linked, door: Door | None, url: str) -> Fetched | Trouble:
    if not linked.link.pushed or linked.link.standing == REMOVED:
        return Trouble(Fault.REFUSED, "no_token")
    return Trouble(Fault.CREDENTIALS, "not_let_in") if door is None else await desk.fetch(door, url, limit=files.LIMIT)


def _text(waiting: Pending) -> list[Content]:
    return [Text(waiting.request.text)] if waiting.request.text.strip() else []


async def _make(context: Context, linked: Linked, waiting: Pending, contents: list[Content]) -> None:
    try:
        await reply.reply(
            context, linked.account, waiting.request.ticket, agent=linked.link.agent, actor=f"desk:{linked.link.desk}", contents=contents,
            public=True, comment=waiting.comment, also=_done(context, linked, waiting),
        )  # fmt: skip
    except Duplicate:
        # Another process has made it.
        return
    except (Invalid, Missing):
        await drop(context, linked, waiting, "not_carried", contents)


async def drop(context: Context, linked: Linked, waiting: Pending, code: str, contents: list[Content] | None = None) -> None:
    """It will never go out: kept as a note, and the desk's agent is told (services.desk_reports)."""
    account, ticket = linked.account, waiting.request.ticket
    kept = _text(waiting) if contents is None else contents
    now = context.clock.now()
    changes = Changes(account, now, f"desk:{linked.link.desk}")
    changes.puts += [
        *_done(context, linked, waiting),
        rows.Comment(account, waiting.comment, ticket, "agent", linked.link.agent, 0, "", waiting.at, now),
        rows.Body(account, waiting.comment, dump_contents(kept)),
        rows.TouchTicket(account, ticket, now),
    ]
    changes.loose += [
        Loose("ticket", ticket, ev.NoteAdded(waiting.comment), linked.channel),
        Loose("ticket", ticket, de.DeskReplyDropped(waiting.comment, code), linked.channel),
    ]
    try:
        await context.store.commit(changes)
    except Duplicate:
        return


def _done(context: Context, linked: Linked, waiting: Pending) -> tuple[NamedTuple, ...]:
    """Once: a second one with the same mark is a Duplicate."""
    return (
        rows.Seen(linked.account, linked.channel, f"desk reply {waiting.comment}", context.clock.now()),
        rows.DropDocument(linked.account, KIND, waiting.comment),
    )
