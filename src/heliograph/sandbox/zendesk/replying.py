"""An agent's reply on its way to the integration service: the channelback, its repetitions, and what its answer means."""

import json
from collections.abc import Sequence

from heliograph.sandbox.errands import Answer
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Json
from heliograph.sandbox.zendesk import shapes, tickets
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.standing import deactivate
from heliograph.sandbox.zendesk.state import Channelback, Comment, Instance, StoredFile, Ticket, User

MESSAGE_LIMIT = 65_535


def reply(center: Center, ticket: Ticket, agent: User, text: str, files: Sequence[StoredFile] = ()) -> Comment:
    """A public comment of an agent; on a ticket of a channel it goes out as a channelback. Raises ValueError."""
    if ticket.state == "closed":
        raise ValueError("a closed ticket takes no comments")
    if not 1 <= len(text) <= MESSAGE_LIMIT:
        raise ValueError(f"a reply has 1 to {MESSAGE_LIMIT} characters")
    instance = center.instances.get(ticket.instance or 0)
    manifest = instance.integration.manifest if instance else None
    if ticket.instance is not None and files and not (manifest and manifest.channelback_files):
        raise ValueError("this channel takes no files")
    comment = tickets.add(center, ticket, agent, text, by="agent")
    comment.files.extend(files)
    if ticket.assignee is None:
        ticket.assignee = agent.id
    if ticket.state == "new":
        tickets.set_state(center, ticket, "open", agent.id)
    if ticket.instance is not None:
        _send(center, ticket, comment, instance)
    return comment


def note(center: Center, ticket: Ticket, agent: User, text: str) -> Comment:
    """An internal note of an agent; it goes nowhere. Raises ValueError."""
    if ticket.state == "closed":
        raise ValueError("a closed ticket takes no comments")
    return tickets.add(center, ticket, agent, text, public=False, by="agent")


def _send(center: Center, ticket: Ticket, comment: Comment, instance: Instance | None) -> None:
    url = instance.integration.manifest.urls.get("channelback_url") if instance and instance.integration.manifest else None
    if instance is None or not instance.active or not url or not ticket.allow_channelback:
        tickets.tell_error(center, comment, "The reply was not sent: the channel is switched off or takes no replies")
        return
    identifier = center.ids.hex_token(32)
    comment.channelback = Channelback(identifier, _form(center, ticket, comment, instance, identifier))
    fault = center.faults.webhook("zendesk", "channelback")
    _attempt(center, instance, comment, fault.delay if fault and fault.mode is Mode.WEBHOOK_LATE else 0.0)
    # The answer got lost on the way, or the request was made twice by somebody in between: both are the same for the service.
    if fault and fault.mode is Mode.WEBHOOK_DUPLICATED:
        _attempt(center, instance, comment, 0.0)


def _form(center: Center, ticket: Ticket, comment: Comment, instance: Instance, identifier: str) -> tuple[tuple[str, str], ...]:
    outside = [c for c in ticket.comments if c.external_id and c.by in ("push", "pull") and c.public]
    requester = center.users[ticket.requester]
    form = [("message", comment.text), ("metadata", instance.metadata), ("request_unique_identifier", identifier)]
    if outside:
        form.append(("parent_id", outside[-1].external_id))
    if requester.external and not ticket.requester_edited:
        form.append(("recipient_id", requester.external))
    if ticket.thread:
        form.append(("thread_id", ticket.thread))
    form += [("file_urls[]", center.file_url(file)) for file in comment.files]
    return tuple(form)


def _attempt(center: Center, instance: Instance, comment: Comment, after: float) -> None:
    going, manifest = comment.channelback, instance.integration.manifest
    if going is None or manifest is None:
        return
    done = lambda answer: _answered(center, instance, comment, answer)  # noqa: E731
    center.post_form(
        "channelback", manifest.urls["channelback_url"], going.form, done, timeout=center.settings.channelback_timeout, after=after
    )


def _answered(center: Center, instance: Instance, comment: Comment, answer: Answer | None) -> None:
    going = comment.channelback
    if going is None:
        return
    # The service has answered, and the answer does not arrive here.
    if answer is not None and center.struck("channelback", Mode.ANSWER_LOST):
        answer = None
    going.attempts += 1
    going.answers.append(str(answer.code) if answer else "none")
    if going.state != "sending":
        if going.state == "taken" and answer is not None and answer.code == 200:
            _compare(center, comment, answer)
        return
    if answer is None:
        waits = center.settings.channelback_waits
        if going.attempts <= len(waits):
            # "If Zendesk needs to remake the request due to network errors it will include the same" identifier.
            _attempt(center, instance, comment, waits[going.attempts - 1])
        else:
            _fail(center, instance, comment, "network error")
        return
    _read(center, instance, comment, answer)


def _read(center: Center, instance: Instance, comment: Comment, answer: Answer) -> None:
    if answer.code == 401:
        # Not documented which answers end an account; that one of them may is. [M]
        _fail(center, instance, comment, "answered 401")
        deactivate(center, instance, by="error", error="The service refused the channelback: 401")
        return
    if answer.code != 200:
        # Whether a 5xx is made again is not documented, only that network errors are: the agent is told, the account stays. [M]
        _fail(center, instance, comment, f"answered {answer.code}")
        return
    value = _json(answer)
    wrong = shapes.channelback_answer(value)
    if wrong:
        _fail(center, instance, comment, "; ".join(wrong[:5]))
        return
    _associate(center, instance, comment, value)


def _associate(center: Center, instance: Instance, comment: Comment, value: Json) -> None:
    id, ticket = value["external_id"], center.tickets[comment.ticket]
    if id in instance.external and instance.external[id] is not comment:
        _fail(center, instance, comment, "external_id belongs to another comment")
        return
    if comment.channelback:
        comment.channelback.state = "taken"
    comment.external_id = id
    instance.external[id] = comment
    ticket.allow_channelback = value.get("allow_channelback", ticket.allow_channelback)
    if value.get("metadata_needs_update") and "metadata" in value:
        instance.metadata = value["metadata"]
    event: Json = {
        "type_id": "external_id_associated_with_channelback", "external_id": id, "comment_id": comment.id, "ticket_id": comment.ticket,
    }  # fmt: skip
    request_id = center.ids.hex_token(32)
    center.emit(instance.integration, "resources_created_from_external_ids", {"request_id": request_id, "resource_events": [event]})
    center.changed()


def _compare(center: Center, comment: Comment, answer: Answer) -> None:
    """A repeated request must be answered like the first; otherwise the service has taken one reply for two."""
    value = _json(answer)
    if value.get("external_id") != comment.external_id:
        center.contradictions += 1
        tickets.tell_error(center, comment, "The channel answered the same request with another external_id")


def _fail(center: Center, instance: Instance, comment: Comment, why: str) -> None:
    if comment.channelback:
        comment.channelback.state = "failed"
    manifest = instance.integration.manifest
    data: Json = {
        "integration_instance_name": instance.name, "url": manifest.urls["channelback_url"] if manifest else "",
        "request_id": center.ids.hex_token(32),
    }  # fmt: skip
    center.emit(instance.integration, "channelback", data, why)
    # What an agent sees when a channelback fails is not documented; that it is seen at the comment is the least that helps. [M]
    tickets.tell_error(center, comment, f"The reply was not sent: {why}")


def _json(answer: Answer) -> Json:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
