"""Finds out what has happened while a reply waited, for domain.staleness to judge."""

import msgspec

from heliograph.domain import events as ev
from heliograph.domain.content import Rich, Text
from heliograph.domain.delivery import Delivery, Question
from heliograph.domain.retry import SECOND
from heliograph.domain.staleness import FRESH, LIMIT, Circumstances, stale
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.channels import Connected
from heliograph.services.context import Context, Invalid
from heliograph.services.parts import load_contents

KIND, ID = "staleness", "limit"
#: A message beyond this length is compared by its beginning.
COMPARED = 2000
_KINDS = frozenset(cls.kind for cls in (ev.Resent, ev.TicketSolved, ev.TicketReopened))


class Limit(msgspec.Struct):
    """For how long replies of an account may wait without being asked about."""

    seconds: int


async def limit_of(context: Context, account: str) -> int:
    """The account's limit, in microseconds."""
    found = await context.store.document(account, KIND, ID)
    return LIMIT if found is None else msgspec.json.decode(found.data, type=Limit).seconds * SECOND


async def set_limit(context: Context, account: str, seconds: int) -> None:
    """Change it. Raises Invalid."""
    if not 60 <= seconds <= 30 * 86_400:
        raise Invalid("A limit is a whole number of seconds from 60 to 2592000.")
    now = context.clock.now()
    data = msgspec.json.encode(Limit(seconds)).decode()
    await context.store.commit(Changes(account, now, puts=[rows.Document(account, KIND, ID, 0, now, data)]))


async def question_of(context: Context, delivery: Delivery, connected: Connected) -> Question | None:
    """Why a person must decide about this reply before it is sent; None where it may go. Costs nothing for one that did not wait."""
    now = context.clock.now()
    if now - delivery.queued_at < FRESH:
        return None
    conversation = await context.store.conversation(delivery.account, delivery.lane)
    comments = await context.store.comments(delivery.account, delivery.ticket)
    mine = next((comment for comment in comments if comment.id == delivery.comment), None)
    if conversation is None or mine is None:
        return None
    decided, solved = await _acts(context, delivery)
    since = max(delivery.queued_at, decided)
    # What the provider has approved beforehand may go at any time.
    window = None if _is_template(mine) else connected.spec.reply_window
    return stale(
        Circumstances(
            now,
            since,
            await limit_of(context, delivery.account),
            conversation.last_inbound_at + int(window * SECOND) if window else None,
            solved,
            [_text(c) for c in comments if c.author_kind == "contact" and c.created_at > since],
            _text(mine),
            [_text(c) for c in comments if c.public and (c.author_kind, c.author) == ("agent", mine.author) and c.created_at > since],
        )
    )


async def _acts(context: Context, delivery: Delivery) -> tuple[int, int]:
    """When a person last decided that a reply of this ticket is to go, and when the ticket was solved (0: it is open)."""
    decided = solved = after = 0
    while events := await context.store.events(delivery.account, stream="ticket", stream_id=delivery.ticket, after=after, limit=500):
        for event in events:
            if event.kind not in _KINDS:
                continue
            if event.kind == ev.Resent.kind:
                decided = event.recorded_at if event.actor != "system" else decided
            else:
                solved = event.recorded_at if event.kind == ev.TicketSolved.kind else 0
        after = events[-1].seq
    return decided, solved


def _is_template(comment: rows.CommentRead) -> bool:
    return any(isinstance(content, Rich) and content.kind == "template" for content in load_contents(comment.body))


def _text(comment: rows.CommentRead) -> str:
    contents = load_contents(comment.body) if comment.body else []
    return "\n".join(content.body for content in contents if isinstance(content, Text))[:COMPARED]
