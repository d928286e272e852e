"""Sunshine Conversations under the contract."""

from typing import Any

import sunshine_conversations_client as official

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, RawRequest, Refused, SendResult, Unknown
from tests.providers.contract import BODY_CANARY, CANARY, Case, Documented
from tests.providers.misbehaving import answer

APP = "65a0c0ffee65a0c0ffee65a0"
CONVERSATION = "c0a80101c0a80101c0a80101"
MESSAGE = "b00000000000000000000001"


def posted(text: str = BODY_CANARY, message_id: str = MESSAGE) -> dict[str, Any]:
    """A message as the API gives it back."""
    return {
        "id": message_id,
        "received": "2026-03-01T09:30:00.120Z",
        "author": {"type": "business"},
        "content": {"type": "text", "text": text},
        "source": {"type": "api:conversations"},
        "metadata": {},
    }


def error(number: int, code: str, outcome: type[SendResult], reason: Reason, title: str = BODY_CANARY) -> Documented:
    body = {"errors": [{"code": code, "title": title}]}
    return Documented(f"{number} {code}", answer(number, body), outcome, reason)


def signed(body: bytes, secret: str) -> RawRequest:
    return RawRequest("POST", "/hooks/x", {}, {"x-api-key": secret, "content-type": "application/json"}, body)


#: Trigger -> the official client's model of its event.
MODELS = {
    "conversation:message": "ConversationMessageEvent",
    "conversation:message:delivery:channel": "ConversationMessageDeliveryChannelEvent",
    "conversation:message:delivery:user": "ConversationMessageDeliveryUserEvent",
    "conversation:message:delivery:failure": "ConversationMessageDeliveryFailureEvent",
    "conversation:read": "ConversationReadEvent",
    "conversation:remove": "ConversationRemoveEvent",
    "conversation:postback": "ConversationPostbackEvent",
    "conversation:typing": "ConversationTypingEvent",
    "conversation:referral": "ConversationReferralEvent",
    "conversation:create": "ConversationCreateEvent",
    "conversation:join": "ConversationJoinEvent",
    "conversation:leave": "ConversationLeaveEvent",
    "switchboard:acceptControl": "SwitchboardAcceptControl",
    "switchboard:passControl": "SwitchboardPassControl",
    "switchboard:passControl:failure": "SwitchboardPassControlFailure",
    "switchboard:offerControl": "SwitchboardOfferControl",
    "switchboard:releaseControl": "SwitchboardReleaseControl",
    "user:merge": "UserMergeEvent",
    "user:update": "UserUpdateEvent",
    "user:remove": "UserRemoveEvent",
    "client:update": "ClientUpdateEvent",
}


def judge(body: Any) -> None:
    """Every event must be one to the official client, with its payload."""
    for event in body["events"]:
        model = getattr(official, MODELS[event["type"]]).from_dict(event)
        assert model.id == event["id"] and model.payload is not None


CASE = Case(
    config={
        "app_id": APP,
        "key_id": "app_65a0c0ffee",
        "key_secret": f"{CANARY}-key",
        "webhook_secret": f"{CANARY}-old {CANARY}-new",
        "integration_id": "1d0000000000000000000001",
    },
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: f"{server}/sc",
    to=Address(CONVERSATION, "u5e0fdecade5e0fdecade5e0"),
    accepted=answer(201, {"messages": [posted()]}),
    provider_id=MESSAGE,
    valid=answer(200, {"app": {"id": APP, "displayName": "Shop", "subdomain": "shop", "settings": {}, "metadata": {}}}),
    identity=f"app:{APP}",
    errors=(
        error(400, "bad_request", Refused, Reason.BAD_REQUEST),
        error(400, "bad_request", Refused, Reason.TOO_LARGE, "text exceeds 4096 characters"),
        error(401, "unauthorized", Refused, Reason.BAD_CREDENTIALS),
        error(402, "payment_required", Refused, Reason.NOT_PERMITTED),
        error(403, "forbidden", Refused, Reason.NOT_PERMITTED),
        error(404, "app_not_found", Refused, Reason.WRONG_IDENTITY),
        error(404, "conversation_not_found", Refused, Reason.CONVERSATION_CLOSED),
        error(404, "not_found", Refused, Reason.CONVERSATION_CLOSED),
        error(404, "user_not_found", Refused, Reason.BAD_RECIPIENT),
        error(404, "client_not_found", Refused, Reason.BAD_RECIPIENT),
        error(404, "integration_not_found", Refused, Reason.WRONG_IDENTITY),
        error(409, "conflict", Refused, Reason.BAD_REQUEST),
        error(413, "request_entity_too_large", Refused, Reason.TOO_LARGE),
        error(415, "unsupported_media_type", Refused, Reason.UNSUPPORTED),
        error(423, "locked", Refused, Reason.CONVERSATION_CLOSED),
        error(418, "teapot", Refused, Reason.OTHER),
        error(429, "too_many_requests", Deferred, Reason.RATE_LIMITED),
        error(503, "service_unavailable", Unknown, Reason.PROVIDER_DOWN),
        Documented("404 of a wrong address", answer(404, b"<html>"), Refused, Reason.WRONG_IDENTITY),
        Documented("429 with seconds", answer(429, {}, {"Retry-After": "7"}), Deferred, Reason.RATE_LIMITED, after=7.0),
        Documented(
            "429 with a date",
            answer(429, {}, {"Date": "Sun, 01 Mar 2026 09:30:00 GMT", "Retry-After": "Sun, 01 Mar 2026 09:30:09 GMT"}),
            Deferred,
            Reason.RATE_LIMITED,
            after=9.0,
        ),
        Documented("429 with nonsense", answer(429, {}, {"Retry-After": "soon"}), Deferred, Reason.RATE_LIMITED),
        Documented("302", answer(302, b"", {"Location": "/login"}), Unknown, Reason.NO_ANSWER),
        Documented("201 without a message", answer(201, {"messages": []}), Unknown, Reason.NO_ANSWER),
    ),
    signed=signed,
    judge=judge,
    unjudged=frozenset({"message_location_bad", "unknown_event"}),
    codes="heliograph.providers.sunshine_outbound",
)
