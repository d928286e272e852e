"""The ticket API that clients read, and the little of it that they write: users, tickets, comments, audits, files."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from heliograph.sandbox.wire import Json, Request, Response, answer
from heliograph.sandbox.zendesk import replying, tickets
from heliograph.sandbox.zendesk.center import Center, Problem
from heliograph.sandbox.zendesk.state import Comment, StoredFile, Ticket, User

PAGE = 100
#: What is longer is cut without a word.
BODY_LIMIT = 65_536
_Handler = Callable[[Center, User, Request, tuple[int, ...]], Response]


def handle(center: Center, actor: User, request: Request, path: str) -> Response:
    """Answer a request of `actor`; `path` comes after /api/v2/. Raises Problem."""
    for method, pattern, handler in _TABLE:
        found = re.fullmatch(pattern, path) if method == request.method else None
        if found:
            return handler(center, actor, request, tuple(int(each) for each in found.groups()))
    raise Problem(404, "InvalidEndpoint", "Not found")


# --- records as the API shows them -----------------------------------------------------------------


def user_json(center: Center, user: User) -> Json:
    """A person."""
    return {
        "id": user.id, "url": f"{center.base}/api/v2/users/{user.id}.json", "name": user.name, "email": user.email or None,
        "role": user.role, "active": True, "verified": True, "locale": user.locale or "en-US", "external_id": None,
        "created_at": center.iso(user.created), "updated_at": center.iso(user.created), "time_zone": "UTC",
    }  # fmt: skip


def via(center: Center, ticket: Ticket) -> Json:
    """Where a ticket came from."""
    instance = center.instances.get(ticket.instance or 0)
    if instance is None or instance.integration.manifest is None:
        return {"channel": "web", "source": {"from": {}, "to": {}, "rel": "follow_up" if ticket.follow_up_of else None}}
    manifest = instance.integration.manifest
    service = {
        "supports_channelback": "channelback_url" in manifest.urls, "supports_clickthrough": "clickthrough_url" in manifest.urls,
        "registered_integration_service_name": manifest.name, "registered_integration_service_external_id": manifest.id,
        "integration_service_instance_name": instance.name,
    }  # fmt: skip
    rel = "follow_up" if ticket.follow_up_of else None
    return {"channel": "any_channel", "source": {"from": {"service_info": service}, "to": {}, "rel": rel}}


def ticket_json(center: Center, ticket: Ticket) -> Json:
    """A ticket."""
    return {
        "id": ticket.id, "url": f"{center.base}/api/v2/tickets/{ticket.id}.json", "external_id": None, "via": via(center, ticket),
        "created_at": center.iso(ticket.created), "updated_at": center.iso(ticket.updated), "type": None, "subject": ticket.subject,
        "raw_subject": ticket.subject, "description": ticket.comments[0].text if ticket.comments else "", "priority": None,
        "status": ticket.state, "recipient": None, "requester_id": ticket.requester, "submitter_id": ticket.requester,
        "assignee_id": ticket.assignee, "organization_id": None, "group_id": None, "collaborator_ids": [], "follower_ids": [],
        "has_incidents": False, "is_public": True, "due_at": None, "tags": [], "custom_fields": ticket.fields, "fields": ticket.fields,
        "allow_channelback": ticket.allow_channelback, "allow_attachments": True,
        "followup_ids": [t.id for t in center.tickets.values() if t.follow_up_of == ticket.id],
    }  # fmt: skip


def comment_json(center: Center, comment: Comment) -> Json:
    """A comment."""
    ticket = center.tickets[comment.ticket]
    return {
        "id": comment.id, "type": "Comment", "author_id": comment.author, "body": comment.text, "plain_body": comment.text,
        "html_body": comment.html or f"<p>{_escaped(comment.text)}</p>", "public": comment.public,
        "attachments": [file_json(center, file) for file in comment.files], "created_at": center.iso(comment.at),
        "audit_id": next((a["id"] for a in ticket.audits for e in a["events"] if e.get("comment_id") == comment.id), None),
        "via": via(center, ticket), "metadata": {"system": {}, "custom": {}},
    }  # fmt: skip


def file_json(center: Center, file: StoredFile) -> Json:
    """An attachment."""
    return {
        "id": file.id, "file_name": file.name, "content_url": center.file_url(file), "content_type": file.media_type,
        "size": len(file.data or b""), "inline": False, "deleted": False, "thumbnails": [],
    }  # fmt: skip


def _audit_json(center: Center, audit: Json) -> Json:
    return {**audit, "via": via(center, center.tickets[audit["ticket_id"]])}


def _escaped(text: str) -> str:
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", "<br>")):
        text = text.replace(plain, entity)
    return text


# --- pages -----------------------------------------------------------------------------------------


def _page(center: Center, request: Request, name: str, items: list[Json]) -> Response:
    query = request.query
    size = _whole(query.get("page[size]") or query.get("per_page"), PAGE)
    if not 1 <= size <= PAGE:
        raise Problem(400, "InvalidPaginationParameter", "A page has 1 to 100 items")
    path = f"{center.base}{request.path}"
    if "page[size]" in query or "page[after]" in query:
        start = _whole(query.get("page[after]"), 0)
        end = start + size
        more = end < len(items)
        links = {"prev": None, "next": f"{path}?page[size]={size}&page[after]={end}" if more else None}
        meta = {"has_more": more, "after_cursor": str(end), "before_cursor": str(start)}
        return answer(200, {name: items[start:end], "meta": meta, "links": links})
    number = _whole(query.get("page"), 1)
    start = (max(1, number) - 1) * size
    same = "".join(f"&{name}={quote(query[name])}" for name in ("sort_order", "query") if name in query)
    following = f"{path}?page={number + 1}&per_page={size}{same}" if start + size < len(items) else None
    previous = f"{path}?page={number - 1}&per_page={size}{same}" if number > 1 else None
    return answer(200, {name: items[start : start + size], "next_page": following, "previous_page": previous, "count": len(items)})


def _whole(value: str | None, default: int) -> int:
    if value is None:
        return default
    if not value.isdigit():
        raise Problem(400, "InvalidPaginationParameter", "A page is a whole number")
    return int(value)


# --- operations ------------------------------------------------------------------------------------


def _ticket(center: Center, id: int) -> Ticket:
    found = center.tickets.get(id)
    if found is None:
        raise Problem(404, "RecordNotFound", "Not found")
    return found


def _me(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del request, args
    return answer(200, {"user": user_json(center, actor)})


def _user(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, request
    if args[0] not in center.users:
        raise Problem(404, "RecordNotFound", "Not found")
    return answer(200, {"user": user_json(center, center.users[args[0]])})


def _users(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, args
    wanted = request.query.get("ids")
    ids = {int(each) for each in wanted.split(",") if each.isdigit()} if wanted is not None else set(center.users)
    return _page(center, request, "users", [user_json(center, u) for u in center.users.values() if u.id in ids])


def _tickets(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, args
    wanted = request.query.get("ids")
    ids = {int(each) for each in wanted.split(",") if each.isdigit()} if wanted is not None else set(center.tickets)
    return _page(center, request, "tickets", [ticket_json(center, t) for t in center.tickets.values() if t.id in ids])


def _show(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, request
    return answer(200, {"ticket": ticket_json(center, _ticket(center, args[0]))})


def _comments(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor
    found = _ticket(center, args[0]).comments
    wanted = found[::-1] if request.query.get("sort_order") == "desc" else found
    return _page(center, request, "comments", [comment_json(center, c) for c in wanted])


def _audits(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor
    return _page(center, request, "audits", [_audit_json(center, a) for a in _ticket(center, args[0]).audits])


def _audit(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, request
    found = next((a for a in _ticket(center, args[0]).audits if a["id"] == args[1]), None)
    if found is None:
        raise Problem(404, "RecordNotFound", "Not found")
    return answer(200, {"audit": _audit_json(center, found)})


def _audit_count(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, request
    return answer(200, {"count": {"value": len(_ticket(center, args[0]).audits), "refreshed_at": center.iso()}})


def _all_audits(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del actor, args
    every = [_audit_json(center, a) for t in center.tickets.values() for a in t.audits]
    size = min(_whole(request.query.get("limit"), PAGE), 1_000)
    start = _whole(request.query.get("cursor"), 0)
    path, end = f"{center.base}{request.path}", min(start + size, len(every))
    return answer(200, {
        "audits": every[start:end], "after_cursor": str(end), "before_cursor": str(max(0, start - size)),
        "after_url": f"{path}?cursor={end}&limit={size}" if end < len(every) else None,
        "before_url": f"{path}?cursor={max(0, start - size)}&limit={size}" if start else None,
    })  # fmt: skip


def _search(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    """Tickets by who commented on them, newest first; no other question is understood here. That it is called `commenter` is [M]."""
    del args
    terms = request.query.get("query", "").split()
    asked = dict(term.partition(":")[::2] for term in terms)
    if set(asked) != {"type", "commenter"} or asked["type"] != "ticket":
        raise Problem(422, "InvalidSearch", "The sandbox finds tickets by their commenter only: type:ticket commenter:…")
    wanted = actor.id if asked["commenter"] == "me" else _whole(asked["commenter"], 0)
    found = [t for t in center.tickets.values() if any(c.author == wanted for c in t.comments)]
    found.sort(key=lambda ticket: ticket.updated, reverse=True)
    return _page(center, request, "results", [{**ticket_json(center, t), "result_type": "ticket"} for t in found])


def _given(request: Request) -> Json:
    try:
        value: Any = request.json()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("ticket"), dict):
        raise Problem(400, "InvalidValue", "The body must have a ticket")
    given: Json = value["ticket"]
    return given


def _create(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    del args
    key = request.headers.get("idempotency-key", "")
    if len(key) > 255:
        raise Problem(400, "InvalidIdempotencyKey", "Idempotency-Key may have 255 characters")
    known = center.idempotent.get(key) if key else None
    if known is not None:
        body, id = known
        if body != request.body:
            raise Problem(400, "IdempotentRequestError", "Idempotency-Key was used for another request")
        return answer(201, {"ticket": ticket_json(center, center.tickets[id])}).with_header("x-idempotency-lookup", "hit")
    given = _given(request)
    text, public = _comment_of(given, given.get("description"))
    if not text:
        raise Problem(422, "RecordInvalid", "Description: cannot be blank")
    ticket = tickets.open_ticket(center, actor, given.get("subject") or text)
    tickets.add(center, ticket, actor, text, public=public, by="api")
    if key:
        center.idempotent[key] = (request.body, ticket.id)
    made = answer(201, {"ticket": ticket_json(center, ticket), "audit": _audit_json(center, ticket.audits[-1])})
    return made.with_header("x-idempotency-lookup", "miss") if key else made


def _update(center: Center, actor: User, request: Request, args: tuple[int, ...]) -> Response:
    ticket, given = _ticket(center, args[0]), _given(request)
    state = given.get("status")
    if ticket.state == "closed":
        raise Problem(422, "RecordInvalid", "Status: closed prevents ticket update")
    if state not in (None, "new", "open", "pending", "solved", "closed"):
        raise Problem(422, "RecordInvalid", "Status: is not included in the list")
    text, public = _comment_of(given, None)
    if text and public and ticket.instance is not None:
        replying.reply(center, ticket, actor, text[: replying.MESSAGE_LIMIT])
    elif text:
        tickets.add(center, ticket, actor, text[:BODY_LIMIT], public=public, by="api")
    if state:
        tickets.set_state(center, ticket, state, actor.id)
    return answer(200, {"ticket": ticket_json(center, ticket), "audit": _audit_json(center, ticket.audits[-1])})


def _comment_of(given: Json, default: Any) -> tuple[str, bool]:
    comment = given.get("comment")
    if not isinstance(comment, dict):
        return (default if isinstance(default, str) else ""), True
    text = comment.get("body")
    return (text if isinstance(text, str) else ""), comment.get("public", True) is not False


_TABLE: tuple[tuple[str, str, _Handler], ...] = (
    ("GET", r"users/me(?:\.json)?", _me),
    ("GET", r"users/(\d+)(?:\.json)?", _user),
    ("GET", r"users(?:/show_many)?(?:\.json)?", _users),
    ("GET", r"tickets/(\d+)(?:\.json)?", _show),
    ("GET", r"tickets(?:/show_many)?(?:\.json)?", _tickets),
    ("GET", r"tickets/(\d+)/comments(?:\.json)?", _comments),
    ("GET", r"tickets/(\d+)/audits(?:\.json)?", _audits),
    ("GET", r"tickets/(\d+)/audits/count(?:\.json)?", _audit_count),
    ("GET", r"tickets/(\d+)/audits/(\d+)(?:\.json)?", _audit),
    ("GET", r"ticket_audits(?:\.json)?", _all_audits),
    ("GET", r"search(?:\.json)?", _search),
    ("POST", r"tickets(?:\.json)?", _create),
    ("PUT", r"tickets/(\d+)(?:\.json)?", _update),
)
