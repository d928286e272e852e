"""Reads what the pages show, and shapes it so that templates only lay it out."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.domain.content import Content, Text
from heliograph.domain.delivery import Delivery, State
from heliograph.domain.events import PartNotCarried
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.projections.timeline import Entry, timeline
from heliograph.services import incidents
from heliograph.services.context import Missing
from heliograph.services.impact import recent_impact
from heliograph.services.parts import load_contents, plain
from heliograph.web.workspace.language import say, spoken
from heliograph.web.workspace.replies import ReplyState, reply_state
from heliograph.web.workspace.standing import Standing, standings

SHOWS = ("open", "trouble", "solved")
PAGE = 60
#: How many tickets are looked through for trouble.
SCANNED = 500
EVENTS = 1000
PREVIEW = 140


class Line(NamedTuple):
    """A ticket in the list."""

    ticket: rows.TicketListed
    preview: str
    ours: bool
    channel: str
    held: bool


class Lines(NamedTuple):
    """The list, and whether there is more of it."""

    show: str
    number: int
    lines: list[Line]
    more: bool


class Bubble(NamedTuple):
    """One comment. `side`: contact, agent, note or business."""

    comment: rows.CommentRead
    side: str
    contents: list[Content]
    not_carried: list[str]
    reply: ReplyState | None

    @property
    def changeable(self) -> bool:
        """Whether it still waits and is nothing but text: then another one can take its place."""
        waits = self.reply is not None and any(decision.name == "cancel" for decision in self.reply.decisions)
        return waits and all(isinstance(content, Text) for content in self.contents)


class Case(NamedTuple):
    """One ticket with what surrounds it."""

    ticket: rows.Ticket
    contact: str
    conversation: rows.Conversation
    standing: Standing
    #: Replies of this conversation that wait, of this ticket or an earlier one.
    waiting: int
    #: What the channel's provider can do beyond sending.
    capabilities: frozenset[str]
    #: Whether the time in which the provider allows a reply is over.
    window_closed: bool


async def lines(application: Application, account: str, *, show: str, number: int) -> Lines:
    """The first `number` tickets of a view."""
    store = application.context.store
    known = await standings(application.context, application.specs, account)
    if show == "trouble":
        found = [t for state in ("open", "solved") for t in await store.tickets(account, state=state, before=None, limit=SCANNED)]
        found = [t for t in found if t.asking or t.failed or (t.waiting and not known[t.channel].well)]
        found.sort(key=lambda t: (t.updated_at, t.id), reverse=True)
    else:
        found = await store.tickets(account, state=show, before=None, limit=number + 1)
    return Lines(show, number, [_line(t, known) for t in found[:number]], len(found) > number)


def _line(ticket: rows.TicketListed, known: dict[str, Standing]) -> Line:
    text = plain(load_contents(ticket.preview))[:PREVIEW] if ticket.preview else ""
    standing = known[ticket.channel]
    return Line(ticket, text, ticket.preview_author == "agent", standing.channel.name, bool(ticket.waiting) and not standing.well)


async def case(application: Application, account: str, ticket_id: str) -> Case:
    """One ticket. Raises Missing."""
    store = application.context.store
    ticket = await store.ticket(account, ticket_id)
    if ticket is None:
        raise Missing("ticket")
    conversation = await store.conversation(account, ticket.conversation)
    contact = await store.contact(account, ticket.contact)
    known = await standings(application.context, application.specs, account)
    if conversation is None or ticket.channel not in known:
        raise Missing("ticket")
    waiting = {d.comment for d in await store.open_deliveries(account, ticket.conversation)}
    standing = known[ticket.channel]
    connected = await application.context.channels.known(account, standing.channel.id)
    spec = connected.spec if connected is not None else application.specs[standing.channel.provider]
    heard = conversation.last_inbound_at
    closed = False
    if spec.reply_window:
        closed = bool(heard) and application.context.clock.now() - heard > spec.reply_window * SECOND
        closed = closed or await _told_closed(application, ticket, heard)
    return Case(ticket, contact.name if contact else "", conversation, standing, len(waiting), spec.capabilities, closed)


async def _told_closed(application: Application, ticket: rows.Ticket, heard: int) -> bool:
    """Whether the provider has refused a reply for its window since the contact wrote last: it counts by its own clock."""
    deliveries = await application.context.store.deliveries_of(ticket.account, ticket.id)
    refused = [d for d in deliveries if d.state is State.FAILED and d.reason == Reason.WINDOW_CLOSED]
    return any(d.started_at > heard for d in refused)


async def bubbles(application: Application, case: Case) -> list[Bubble]:
    """All comments of a ticket, oldest first."""
    store = application.context.store
    account, ticket = case.ticket.account, case.ticket.id
    by_comment: dict[str, list[Delivery]] = {}
    for delivery in await store.deliveries_of(account, ticket):
        by_comment.setdefault(delivery.comment, []).append(delivery)
    queue = list(dict.fromkeys(d.comment for d in await store.open_deliveries(account, case.ticket.conversation)))
    lost: dict[str, list[str]] = {}
    for read in await stream(application, account, "ticket", ticket, 0):
        if read.kind == PartNotCarried.kind:
            event = msgspec.json.decode(read.data, type=PartNotCarried)
            lost.setdefault(event.comment, []).append(event.content)
    return [
        _bubble(comment, by_comment.get(comment.id, []), case.standing, queue, lost.get(comment.id, []))
        for comment in await store.comments(account, ticket)
    ]


def _bubble(comment: rows.CommentRead, deliveries: Sequence[Delivery], standing: Standing, queue: Sequence[str], lost: list[str]) -> Bubble:
    side = comment.author_kind if comment.author_kind != "agent" or comment.public else "note"
    reply = None
    if deliveries:
        before = queue.index(comment.id) if comment.id in queue else 0
        reply = reply_state(deliveries, standing, before=before)
    return Bubble(comment, side, load_contents(comment.body), lost, reply)


async def stream(application: Application, account: str, name: str, id: str, after: int) -> list[rows.EventRead]:
    """A stream's events after a sequence number, all of them."""
    found: list[rows.EventRead] = []
    while True:
        batch = await application.context.store.events(account, stream=name, stream_id=id, after=after, limit=EVENTS)
        found += batch
        if len(batch) < EVENTS:
            return found
        after = batch[-1].seq


async def entries(application: Application, case: Case, *, incident: str = "") -> list[Entry]:
    """The Events tab of a ticket; with `incident` only what happened to the replies that it held back. Raises Missing."""
    account, channel = case.ticket.account, case.standing.channel
    own = await stream(application, account, "ticket", case.ticket.id, 0)
    if incident:
        held_back = await _held_back(application, case, incident)
        own = [read for read in own if read.subject in held_back]
    first = own[0].seq - 1 if own else 0
    health = [
        await stream(application, account, "channel", channel.id, first),
        await stream(application, account, "credential", channel.credential, first),
    ]
    names, erased = await _names(application, case)
    return timeline(own, health, names=names, erased=erased, language=spoken())


async def _held_back(application: Application, case: Case, incident: str) -> set[str]:
    """Deliveries of a ticket that an incident affects."""
    found = await incidents.find(application.context.store, incident, case.ticket.account)
    affected = await recent_impact(application.context, found, case.ticket.account)
    return {one.delivery for one in affected if one.ticket == case.ticket.id}


async def _names(application: Application, case: Case) -> tuple[dict[str, str], frozenset[str]]:
    """What to call each reply and its parts, and which have lost their text."""
    store = application.context.store
    account = case.ticket.account
    names: dict[str, str] = {}
    number = 0
    erased = set()
    for comment in await store.comments(account, case.ticket.id):
        if not comment.body:
            erased.add(comment.id)
        if comment.author_kind == "agent" and comment.public:
            number += 1
            names[comment.id] = say("Reply {number}").format(number=number)
    for delivery in await store.deliveries_of(account, case.ticket.id):
        part = say(", part {part} of {parts}").format(part=delivery.part, parts=delivery.parts) if delivery.parts > 1 else ""
        names[delivery.id] = names.get(delivery.comment, say("Reply")) + part
        if delivery.comment in erased:
            erased.add(delivery.id)
    return names, frozenset(erased)


async def people(application: Application, account: str) -> dict[str, str]:
    """Names by actor, as the ledger writes actors."""
    named = {f"agent:{agent.id}": agent.name for agent in await application.context.store.agents(account)}
    others = {"contact": say("Contact"), "business": say("Elsewhere at the business"), "system": "Heliograph", "operator": say("Operator")}
    return {**named, **others}
