"""What the agents' page shows, and what an agent or an admin does there."""

import json
from collections.abc import Mapping

from heliograph.sandbox.wire import Json, Request
from heliograph.sandbox.zendesk import integrations, pulling, replying, tickets
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.state import Comment, Instance, Integration, StoredFile, Ticket, TicketState, User

#: The page shows the latest of many.
LATEST = 200
_STATES: tuple[TicketState, ...] = ("new", "open", "pending", "solved", "closed")


def news(center: Center, query: Mapping[str, str]) -> str:
    """The state of the page as one line: all tickets in brief, the one asked for (`ticket`) whole, and the channels."""
    wanted = query.get("ticket", "")
    ticket = center.tickets.get(int(wanted)) if wanted.isdigit() else None
    listed = sorted(center.tickets.values(), key=lambda t: (t.updated, t.id), reverse=True)[:LATEST]
    value: Json = {
        "tickets": [_brief(center, each) for each in listed], "ticket": _whole(center, ticket) if ticket else None,
        "agents": [{"id": a.id, "name": a.name} for a in center.agents],
        "integrations": [_integration(each) for each in center.integrations.values()],
        "accounts": [_account(center, each) for each in center.instances.values() if each.saved],
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def counts(center: Center) -> Json:
    """What Zendesk took and what became of its agents' replies, for a judge."""
    replies = [c for c in center.comments.values() if c.by == "agent" and c.public and center.tickets[c.ticket].instance is not None]
    going = [c.channelback.state for c in replies if c.channelback]
    return {
        "imported": center.imported, "repeats": center.repeats, "notes": center.notes, "replies": len(replies),
        "replies_taken": going.count("taken"), "replies_sending": going.count("sending"),
        "replies_failed": len(replies) - going.count("taken") - going.count("sending"),
        "replies_with_errors": sum(1 for c in replies if c.errors), "contradictions": center.contradictions,
    }  # fmt: skip


def replies(center: Center, thread: str | None = None) -> list[Json]:
    """Every reply of an agent in order of writing, to be compared with what a provider took."""
    found = [c for c in center.comments.values() if c.by == "agent" and c.public and center.tickets[c.ticket].instance is not None]
    return [
        {"comment": c.id, "ticket": c.ticket, "thread": center.tickets[c.ticket].thread, "text": c.text, "external_id": c.external_id,
         "state": c.channelback.state if c.channelback else "failed", "answers": c.channelback.answers if c.channelback else [],
         "errors": c.errors}
        for c in found if thread is None or center.tickets[c.ticket].thread == thread
    ]  # fmt: skip


# --- shapes of the page ------------------------------------------------------------------------


def _brief(center: Center, ticket: Ticket) -> Json:
    last = ticket.comments[-1] if ticket.comments else None
    return {
        "id": ticket.id, "subject": ticket.subject, "state": ticket.state, "updated": ticket.updated,
        "requester": center.users[ticket.requester].name, "errors": sum(1 for c in ticket.comments if c.errors),
        "last": (last.text[:120] if last else ""), "last_by": center.users[last.author].role if last else "",
    }  # fmt: skip


def _whole(center: Center, ticket: Ticket) -> Json:
    instance = center.instances.get(ticket.instance or 0)
    manifest = instance.integration.manifest if instance else None
    assignee = center.users.get(ticket.assignee or 0)
    return {
        **_brief(center, ticket), "channel": manifest.name if manifest else "", "account": instance.name if instance else "",
        "takes_replies": bool(instance and instance.active and ticket.allow_channelback) or ticket.instance is None,
        "takes_files": bool(manifest and manifest.channelback_files),
        "assignee": assignee.name if assignee else "", "follow_up_of": ticket.follow_up_of,
        "comments": [_comment(center, ticket, each) for each in ticket.comments[-LATEST:]],
    }  # fmt: skip


def _comment(center: Center, ticket: Ticket, comment: Comment) -> Json:
    author = center.users[comment.author]
    return {
        "id": comment.id, "author": author.name, "role": author.role, "text": comment.text, "public": comment.public, "at": comment.at,
        "by": comment.by, "errors": comment.errors, "sending": comment.channelback.state if comment.channelback else "",
        "attempts": comment.channelback.attempts if comment.channelback else 0, "link": _clickthrough(center, ticket, comment),
        "files": [
            {"name": f.name, "kind": "image" if f.media_type.startswith("image/") else "file", "problem": f.problem,
             "url": f"/sandbox/zendesk/file/{f.token}" if f.data is not None else ""}
            for f in comment.files
        ],
    }  # fmt: skip


def _clickthrough(center: Center, ticket: Ticket, comment: Comment) -> str:
    instance = center.instances.get(ticket.instance or 0)
    manifest = instance.integration.manifest if instance else None
    if manifest is None or not comment.external_id or "clickthrough_url" not in manifest.urls:
        return ""
    address = manifest.urls["clickthrough_url"]
    return f"{address}{'&' if '?' in address else '?'}external_id={comment.external_id}"


def _integration(integration: Integration) -> Json:
    manifest = integration.manifest
    return {
        "id": integration.id, "name": manifest.name if manifest else "", "version": manifest.version if manifest else "",
        "author": manifest.author if manifest else "", "faults": integration.faults, "valid": manifest is not None,
        "health": integration.health, "address": integration.manifest_url,
    }  # fmt: skip


def _account(center: Center, instance: Instance) -> Json:
    return {
        "id": instance.id, "integration": instance.integration.id, "name": instance.name, "active": instance.active,
        "deactivated_by": instance.deactivated_by, "deactivating_error": instance.deactivating_error,
        "pulled": bool(instance.integration.manifest and "pull_url" in instance.integration.manifest.urls),
        "next_pull": instance.next_pull,
    }  # fmt: skip


# --- what agents and admins do -----------------------------------------------------------------


def act(center: Center, action: str, body: Mapping[str, object], request: Request) -> Json:
    """Carry out `action`. Raises LookupError, ValueError."""
    center.base = center.base or request.origin
    match action:
        case "reply":
            files = [_upload(center, each.name, each.media_type, each.data) for each in request.files]
            comment = replying.reply(center, _ticket(center, body), _agent(center, body), _text(body, "text"), files)
            return {"comment": comment.id}
        case "note":
            return {"comment": replying.note(center, _ticket(center, body), _agent(center, body), _text(body, "text")).id}
        case "state":
            state = next((s for s in _STATES if s == body.get("state")), None)
            if state is None:
                raise ValueError(f"state must be one of {', '.join(_STATES)}")
            tickets.set_state(center, _ticket(center, body), state, _agent(center, body).id)
            return {"done": True}
        case "requester":
            # Another requester than the channel's author: a reply has no recipient_id any more.
            ticket = _ticket(center, body)
            ticket.requester, ticket.requester_edited = center.new_user(_text(body, "name"), "end-user").id, True
            center.changed()
            return {"done": True}
        case "register":
            return {"integration": integrations.register(center, _text(body, "manifest_url")).id}
        case "uninstall":
            integrations.destroy(center, center.integrations[_number(body, "integration")])
            return {"done": True}
        case "health":
            integrations.check_health(center, center.integrations[_number(body, "integration")])
            return {"done": True}
        case _:
            return _act_on_account(center, action, body)


def _act_on_account(center: Center, action: str, body: Mapping[str, object]) -> Json:
    acts = {
        "pull": lambda instance: pulling.pull(center, instance),
        "remove": lambda instance: integrations.destroy_instance(center, instance),
        "deactivate": lambda instance: integrations.stop(center, instance),
        "activate": lambda instance: integrations.activate(center, instance),
    }
    if action not in acts:
        raise LookupError("no such action")
    acts[action](center.instances[_number(body, "account")])
    center.changed()
    return {"done": True}


def _upload(center: Center, name: str, media_type: str, data: bytes) -> StoredFile:
    if len(data) > center.settings.file_limit:
        raise ValueError("the file is too large")
    return center.store(name, media_type, data)


def _ticket(center: Center, body: Mapping[str, object]) -> Ticket:
    return center.tickets[_number(body, "ticket")]


def _agent(center: Center, body: Mapping[str, object]) -> User:
    wanted = _number(body, "agent") if body.get("agent") else center.agents[0].id
    agent = center.users[wanted]
    if agent.role != "agent":
        raise ValueError("agent must be an agent")
    return agent


def _number(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number")
    return value


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a string that is not empty")
    return value
