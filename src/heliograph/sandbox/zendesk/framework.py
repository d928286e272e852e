"""The API that integration services call: push, report_error, validate_token."""

from typing import Any

from heliograph.sandbox.wire import Json, Request, Response, answer
from heliograph.sandbox.zendesk import importing, shapes, tickets
from heliograph.sandbox.zendesk.center import Center, Problem
from heliograph.sandbox.zendesk.state import Instance


def push(center: Center, instance: Instance, request: Request) -> Response:
    """Import resources; 200 with one result each, failures of single items included."""
    body = _body(request)
    _valid(shapes.push(body))
    _own(instance, body)
    request_id = body.get("request_id") or center.ids.hex_token(32)
    results = importing.take(center, instance, body["external_resources"], by="push", request_id=request_id)
    return answer(200, {"results": results})


def report_error(center: Center, instance: Instance, request: Request) -> Response:
    """A channelback that was answered with success did not reach its recipient: say so at the comment."""
    body = _body(request)
    _valid(shapes.report(body))
    _own(instance, body)
    comment = instance.external.get(body["external_id"])
    if comment is None or comment.channelback is None:
        raise Problem(404, "RecordNotFound", "No channelback was answered with this external_id")
    tickets.tell_error(center, comment, body.get("description") or "The channel could not deliver this reply")
    return Response(200, b"", {"content-type": "application/json; charset=utf-8"})


def validate_token(center: Center, instance: Instance, request: Request) -> Response:
    """Whether the token is that of the account."""
    del center
    body = _body(request)
    wrong = shapes.members(body, "body", {"instance_push_id": shapes.text(1, 255), "request_id": shapes.text(1, 64)}, ("instance_push_id",))
    _valid(wrong)
    _own(instance, body)
    return answer(200, None)


def _body(request: Request) -> Json:
    try:
        value: Any = request.json()
    except (ValueError, RecursionError):
        raise Problem(400, "InvalidJson", "The body is not JSON") from None
    if not isinstance(value, dict):
        raise Problem(400, "InvalidJson", "The body is not an object")
    return value


def _valid(wrong: list[str]) -> None:
    # How a request against the schema is refused is not documented; nothing of it is taken here. [M]
    if wrong:
        raise Problem(400, "InvalidValue", "The body does not follow the schema", wrong[:20])


def _own(instance: Instance, body: Json) -> None:
    if body["instance_push_id"] != instance.push_id:
        raise Problem(403, "Forbidden", "The token belongs to another account")
    if not instance.active:
        raise Problem(403, "Forbidden", "The account is not active")
