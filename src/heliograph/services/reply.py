"""Write a reply: durable before it is called saved, then queued part by part in the conversation's lane."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from heliograph.domain import decide, events as ev
from heliograph.domain.content import Content
from heliograph.domain.decide import Refusal
from heliograph.domain.delivery import OPEN
from heliograph.ports import rows
from heliograph.ports.provider import Unsupported
from heliograph.ports.store import Changes, Fold, Loose, NewDelivery
from heliograph.services.context import Context, Invalid, Missing, retrying
from heliograph.services.parts import dump_contents, dump_part


class Written(NamedTuple):
    """A saved comment and its deliveries' ids, in order; internal notes have none."""

    comment: str
    deliveries: list[str]


async def reply(
    context: Context,
    account: str,
    ticket_id: str,
    *,
    agent: str,
    actor: str,
    contents: Sequence[Content],
    public: bool,
    answer: Callable[[Written], rows.Answer] | None = None,
    replaces: str = "",
    comment: str = "",
    also: Sequence[NamedTuple] = (),
) -> Written:
    """Save an agent's comment on a ticket.

    `answer` makes the API's record of the request's Idempotency-Key, committed with it. `replaces`: a comment whose replies still wait;
    they are dropped in the same act. `comment`: an id that was given out for it before, "" for a fresh one. `also`: rows to be written
    with it. Raises Missing, Invalid (with what the channel cannot carry), Refusal where what it replaces has
    gone out or may have, Duplicate for a key already used, Unavailable.
    """
    if not contents:
        raise Invalid("A comment needs text or a file.")
    ticket = await context.lasting_ticket(account, ticket_id)
    if ticket is None:
        raise Missing("ticket")
    now = context.clock.now()
    changes = Changes(account, now, actor)
    comment = comment or context.new_id("cmt")
    changes.puts += [
        *also,
        rows.Comment(account, comment, ticket.id, "agent", agent, int(public), "", now, now),
        rows.Body(account, comment, dump_contents(contents)),
        rows.TouchTicket(account, ticket.id, now),
    ]
    deliveries: list[str] = []
    if public:
        deliveries = await _queue(context, changes, ticket, comment, contents)
    else:
        changes.loose.append(Loose("ticket", ticket.id, ev.NoteAdded(comment), ticket.channel))
    written = Written(comment, deliveries)
    if answer is not None:
        changes.puts.append(answer(written))
    await context.failpoint("reply:before_commit")
    if replaces:
        await retrying(lambda: _commit_in_place_of(context, changes, ticket.id, replaces))
    else:
        await context.store.commit(changes)
    await context.failpoint("reply:after_commit")
    return written


async def _commit_in_place_of(context: Context, changes: Changes, ticket: str, comment: str) -> None:
    """Drop what waits of the other comment, or write nothing."""
    found = await context.store.deliveries_of_comment(changes.account, comment)
    if not found or found[0].ticket != ticket:
        raise Missing("reply")
    waiting = [delivery for delivery in found if delivery.state in OPEN]
    if not waiting:
        raise Refusal("The reply that this was to replace does not wait any more. Look at it, and save this one as a new reply.")
    changes.folds = [Fold(delivery, decide.cancel(delivery)) for delivery in waiting]
    await context.store.commit(changes)


async def _queue(context: Context, changes: Changes, ticket: rows.Ticket, comment: str, contents: Sequence[Content]) -> list[str]:
    connected = await context.channels.known(ticket.account, ticket.channel)
    if connected is None:
        raise Missing("channel")
    try:
        parts = connected.provider.render(contents)
    except Unsupported as refused:
        raise Invalid(str(refused)) from refused
    if not parts:
        raise Invalid("A reply needs text or a file.")
    by_address = "file_urls" in connected.spec.capabilities and any(part.media is not None for part in parts)
    if by_address and not context.channels.addresses.base:
        raise Invalid(f"{connected.spec.title} fetches files by address, and this installation has none: set HELIOGRAPH_PUBLIC_URL.")
    ids = []
    for number, part in enumerate(parts, 1):
        id = context.new_id("dlv")
        ids.append(id)
        changes.puts.append(rows.Body(ticket.account, id, dump_part(part)))
        changes.queue.append(NewDelivery(id, ticket.id, comment, ticket.channel, ticket.conversation, number, len(parts)))
    return ids
