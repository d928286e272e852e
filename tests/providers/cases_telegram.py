"""Telegram under the contract."""

from typing import Any

import telegram as official

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, RawRequest, Refused, SendResult, Unknown
from tests.providers.contract import BODY_CANARY, CANARY, Case, Documented
from tests.providers.misbehaving import answer


def ok(result: Any) -> Any:
    return answer(200, {"ok": True, "result": result})


def error(number: int, description: str, outcome: type[SendResult], reason: Reason, **more: Any) -> Documented:
    body = {"ok": False, "error_code": number, "description": f"{description} {BODY_CANARY}"}
    if "parameters" in more:
        body["parameters"] = more.pop("parameters")
    return Documented(f"{number} {description}", answer(number, body), outcome, reason, **more)


def signed(body: bytes, secret: str) -> RawRequest:
    return RawRequest("POST", "/hooks/x", {}, {"x-telegram-bot-api-secret-token": secret}, body)


def judge(body: Any) -> None:
    """Every update must be one to the official library's model, with something in it."""
    update = official.Update.de_json(body, None)
    assert update.update_id == body["update_id"]
    kind = next(key for key in body if key != "update_id")
    assert getattr(update, kind) is not None
    if kind in ("message", "edited_message"):
        assert update.effective_chat is not None and update.effective_chat.id == body[kind]["chat"]["id"]


CASE = Case(
    config={"token": f"123456:{CANARY}", "webhook_secret": f"{CANARY}-old {CANARY}-new"},
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address("7001", "7001"),
    accepted=ok({"message_id": 42, "date": 1772357400, "chat": {"id": 7001, "type": "private"}, "text": BODY_CANARY}),
    provider_id="7001:42",
    valid=ok({"id": 123456, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}),
    identity="bot:123456",
    errors=(
        error(400, "Bad Request: chat not found", Refused, Reason.BAD_RECIPIENT),
        error(400, "Bad Request: user not found", Refused, Reason.BAD_RECIPIENT),
        error(400, "Bad Request: PEER_ID_INVALID", Refused, Reason.BAD_RECIPIENT),
        error(400, "Bad Request: chat_id is empty", Refused, Reason.BAD_RECIPIENT),
        error(400, "Bad Request: message is too long", Refused, Reason.TOO_LARGE),
        error(400, "Bad Request: message caption is too long", Refused, Reason.TOO_LARGE),
        error(400, "Bad Request: file is too big", Refused, Reason.TOO_LARGE),
        error(400, "Bad Request: message text is empty", Refused, Reason.BAD_REQUEST),
        error(400, "Bad Request: can't parse entities", Refused, Reason.BAD_REQUEST),
        error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", Refused, Reason.UNSUPPORTED),
        error(400, "Bad Request: IMAGE_PROCESS_FAILED", Refused, Reason.UNSUPPORTED),
        error(400, "Bad Request: wrong file identifier", Refused, Reason.UNSUPPORTED),
        error(400, "Bad Request: not enough rights to send text messages", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: have no rights to send a message", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: CHAT_WRITE_FORBIDDEN", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: TOPIC_CLOSED", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: message thread not found", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: chat was deactivated", Refused, Reason.CONVERSATION_CLOSED),
        error(400, "Bad Request: a new thing", Refused, Reason.OTHER),
        error(401, "Unauthorized", Refused, Reason.BAD_CREDENTIALS),
        error(403, "Forbidden: bot was blocked by the user", Refused, Reason.BLOCKED),
        error(403, "Forbidden: user is deactivated", Refused, Reason.BLOCKED),
        error(403, "Forbidden: bot can't initiate conversation with a user", Refused, Reason.BLOCKED),
        error(403, "Forbidden: bot was kicked from the group chat", Refused, Reason.CONVERSATION_CLOSED),
        error(403, "Forbidden: bot is not a member of the channel chat", Refused, Reason.CONVERSATION_CLOSED),
        error(403, "Forbidden: not enough rights", Refused, Reason.CONVERSATION_CLOSED),
        error(403, "Forbidden: the group chat was deleted", Refused, Reason.CONVERSATION_CLOSED),
        error(404, "Not Found: method not found", Refused, Reason.BAD_REQUEST),
        error(404, "Not Found", Refused, Reason.BAD_CREDENTIALS),
        error(409, "Conflict: terminated by other getUpdates request", Refused, Reason.NOT_PERMITTED),
        error(413, "Request Entity Too Large", Refused, Reason.TOO_LARGE),
        error(429, "Too Many Requests: retry after 5", Deferred, Reason.RATE_LIMITED, parameters={"retry_after": 5}, after=5.0),
        error(429, "Too Many Requests", Deferred, Reason.RATE_LIMITED, parameters={"retry_after": 1e300}, after=86_400.0),
        error(500, "Internal Server Error", Unknown, Reason.PROVIDER_DOWN),
        error(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            Deferred,
            Reason.MOVED,
            parameters={"migrate_to_chat_id": -1001234567890},
            after=0.0,
            readdress="-1001234567890",
        ),
        Documented("429 by header", answer(429, b"", {"Retry-After": "3"}), Deferred, Reason.RATE_LIMITED, after=3.0),
        Documented("200 with an error inside", answer(200, {"ok": False, "error_code": 401}), Refused, Reason.BAD_CREDENTIALS),
        Documented("200 without a message", ok({}), Unknown, Reason.NO_ANSWER),
        Documented("502 of a gateway", answer(502, b"<html>"), Unknown, Reason.PROVIDER_DOWN),
    ),
    signed=signed,
    judge=judge,
)
