"""LINE under the contract."""

import json
from typing import Any

from linebot.v3.models.events import UnknownEvent
from linebot.v3.webhook import WebhookParser

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, Part, RawRequest, Refused, SendResult, Unknown
from heliograph.providers.line import retry_key, signature
from tests.providers.contract import BODY_CANARY, CANARY, KEY, Case, Documented
from tests.providers.misbehaving import answer

USER = "U8189cf6745fc0d808977bdb0b9f22995"
GROUP = "C4af4980629fa4d1ab5b3b5d6e1a2c9f0"
ROOM = "Ra8dbf4673c4c812cd491258042226c99"
BOT = "U0123456789abcdef0123456789abcdef"


def sent(id: str = "461230966842064897") -> Any:
    return answer(200, {"sentMessages": [{"id": id, "quoteToken": "IStG5h1Tz7b"}]})


def error(
    number: int, said: str, outcome: type[SendResult], reason: Reason, *details: tuple[str, str], headers: Any = None, **more: Any
) -> Documented:
    body: dict[str, Any] = {"message": f"{said} {BODY_CANARY}"}
    if details:
        body["details"] = [{"message": f"{message} {BODY_CANARY}", "property": where} for where, message in details]
    name = f"{number} {said or 'nothing'} {details[0][0] if details else ''}".strip()
    return Documented(name, answer(number, body, headers), outcome, reason, **more)


def signed(body: bytes, secret: str) -> RawRequest:
    proof = signature(secret.encode("utf-8", "surrogateescape"), body).decode()
    return RawRequest("POST", "/hooks/x", {}, {"x-line-signature": proof}, body)


def judge(body: Any) -> None:
    """Every call must be one to the official parser, which must know each event."""
    text = json.dumps(body)
    payload = WebhookParser(CANARY).parse(text, signature(CANARY.encode(), text.encode()).decode(), as_payload=True)
    assert payload.destination == body["destination"] and len(payload.events) == len(body["events"])
    for event, given in zip(payload.events, body["events"], strict=True):
        assert not isinstance(event, UnknownEvent)
        assert (event.type, event.webhook_event_id, event.timestamp) == (given["type"], given["webhookEventId"], given["timestamp"])
        if "message" in given:
            assert type(event.message).__name__ != "MessageContent", "a kind of message that the official model does not know"
            assert event.message.id == given["message"]["id"]


def text_of(part: Part) -> str:
    return str(part.payload.get("text", ""))


INVALID_TO = "The property, 'to', in the request body is invalid (line: -, column: -)"
ERRORS = "The request body has 1 error(s)"

CASE = Case(
    config={"token": f"{CANARY}-token", "webhook_secret": f"{CANARY}-old {CANARY}-new"},
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address(USER, USER),
    accepted=sent(),
    provider_id="461230966842064897",
    valid=answer(200, {"userId": BOT, "basicId": "@216ru", "displayName": "Shop", "chatMode": "bot", "markAsReadMode": "manual"}),
    named=answer(200, {"userId": "U1", "displayName": "Ada Lovelace", "language": "en"}),
    identity=f"bot:{BOT}",
    errors=(
        error(400, INVALID_TO, Refused, Reason.BAD_RECIPIENT),
        error(400, ERRORS, Refused, Reason.BAD_RECIPIENT, ("to", "May not be empty")),
        error(400, "Failed to send messages", Refused, Reason.BAD_RECIPIENT),
        error(400, ERRORS, Refused, Reason.TOO_LARGE, ("messages[0].text", "Length must be between 0 and 5000")),
        error(400, ERRORS, Refused, Reason.UNSUPPORTED, ("messages[0]", "This message type is not available for your account")),
        error(400, ERRORS, Refused, Reason.BAD_REQUEST, ("messages[0].type", "Must be one of the following values: [text, image]")),
        error(400, "The request body could not be parsed as JSON (line: 1, column: 1)", Refused, Reason.BAD_REQUEST),
        error(401, "Authentication failed due to the following reason: invalid token", Refused, Reason.BAD_CREDENTIALS),
        error(403, "Access to this API is not available for your account", Refused, Reason.NOT_PERMITTED),
        error(404, "Not found", Refused, Reason.BAD_RECIPIENT),
        error(410, "Gone", Refused, Reason.BAD_REQUEST),
        error(413, "Request Entity Too Large", Refused, Reason.TOO_LARGE),
        error(415, "Unsupported Media Type", Refused, Reason.BAD_REQUEST),
        error(418, "A new thing", Refused, Reason.OTHER),
        error(429, "You have reached your monthly limit.", Refused, Reason.NOT_PERMITTED),
        error(429, "You have exceeded the target limit for additional messages.", Refused, Reason.NOT_PERMITTED),
        error(429, "The API rate limit has been exceeded. Try again later.", Deferred, Reason.RATE_LIMITED),
        error(429, "", Deferred, Reason.RATE_LIMITED, headers={"Retry-After": "7"}, after=7.0),
        error(500, "The error occurred", Unknown, Reason.PROVIDER_DOWN),
        error(408, "Request Timeout", Unknown, Reason.NO_ANSWER),
        Documented("409 that says nothing", answer(409, b"<html>"), Unknown, Reason.NO_ANSWER),
        Documented("200 without a message", answer(200, {"sentMessages": []}), Unknown, Reason.NO_ANSWER),
    ),
    signed=signed,
    judge=judge,
    unjudged=frozenset({"unknown_content", "unknown_event"}),
    text_of=text_of,
    key_on_wire=retry_key(KEY),
)
