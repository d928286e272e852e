"""Makes and changes tickets and comments, and writes the audit of every change."""

from heliograph.sandbox.wire import Json
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.state import Comment, Ticket, TicketState, User

SUBJECT_LIMIT = 80


def open_ticket(center: Center, requester: User, text: str, *, instance: int | None = None, thread: str = "") -> Ticket:
    """A new ticket, without a comment yet."""
    subject = " ".join(text.split())
    subject = subject if len(subject) <= SUBJECT_LIMIT else subject[: SUBJECT_LIMIT - 1] + "…"
    now = center.now()
    ticket = Ticket(len(center.tickets) + 1, subject, requester.id, "new", now, now, instance, thread)
    center.tickets[ticket.id] = ticket
    _audit(center, ticket, requester.id, [
        {"type": "Create", "field_name": "subject", "value": subject}, {"type": "Create", "field_name": "status", "value": "new"},
        {"type": "Create", "field_name": "requester_id", "value": str(requester.id)},
    ])  # fmt: skip
    return ticket


def add(
    center: Center, ticket: Ticket, author: User, text: str, *, html: str = "", public: bool = True, by: str, external_id: str = "",
    claimed_at: str = "",
) -> Comment:  # fmt: skip
    """One more comment at the end of a ticket."""
    comment = Comment(
        center.new_id(), ticket.id, author.id, text, html, public, center.now(), claimed_at, external_id, by,
    )  # fmt: skip
    ticket.comments.append(comment)
    ticket.updated = comment.at
    center.comments[comment.id] = comment
    event: Json = {"type": "Comment", "author_id": author.id, "body": text, "public": public, "comment_id": comment.id}
    _audit(center, ticket, author.id, [event])
    center.changed()
    return comment


def set_state(center: Center, ticket: Ticket, state: TicketState, actor: int) -> None:
    """A ticket's state changes. What is closed stays closed. Raises ValueError."""
    if ticket.state == "closed" and state != "closed":
        raise ValueError("a closed ticket cannot be changed")
    if ticket.state != state:
        change: Json = {"type": "Change", "field_name": "status", "value": state, "previous_value": ticket.state}
        ticket.state, ticket.updated = state, center.now()
        _audit(center, ticket, actor, [change])
        center.changed()


def tell_error(center: Center, comment: Comment, words: str) -> None:
    """What went wrong with an agent's reply, where the agent sees it: beside the comment, and in the ticket's events."""
    comment.errors.append(words)
    ticket = center.tickets[comment.ticket]
    ticket.updated = center.now()
    _audit(center, ticket, comment.author, [{"type": "Error", "message": words, "comment_id": comment.id}])
    center.changed()


def _audit(center: Center, ticket: Ticket, author: int, events: list[Json]) -> None:
    ticket.audits.append({
        "id": center.new_id(), "ticket_id": ticket.id, "created_at": center.iso(), "author_id": author,
        "metadata": {"system": {}, "custom": {}}, "events": [{"id": center.new_id(), **event} for event in events],
    })  # fmt: skip
