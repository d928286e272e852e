"""What the cases of Messenger and Instagram share: Meta's errors and signatures, and a schema of its webhooks to judge by.

The schema follows Meta's reference of webhook events (March to September 2026) and knows no field that is not there.
"""

import hashlib
import hmac
import json
from functools import cache
from typing import Any

import jsonschema
from pymsgr.types.events import WebhookPayload  # type: ignore[import-untyped]

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Deferred, RawRequest, Refused, SendResult, Unknown
from tests.providers.contract import BODY_CANARY, Documented
from tests.providers.misbehaving import answer


def signed(body: bytes, secret: str) -> RawRequest:
    digest = hmac.new(secret.encode("utf-8", "surrogateescape"), body, hashlib.sha256).hexdigest()
    return RawRequest("POST", "/hooks/x", {}, {"x-hub-signature-256": f"sha256={digest}"}, body)


def fault(code: int, subcode: int = 0, message: str = "", *, number: int = 400, headers: dict[str, str] | None = None, **more: Any) -> Any:
    error = {"message": message or f"(#{code}) {BODY_CANARY}", "type": "OAuthException", "code": code, "fbtrace_id": "A1b2", **more}
    if subcode:
        error["error_subcode"] = subcode
    return answer(number, {"error": error}, headers)


#: code, subcode, outcome, reason: Meta's page of error codes, and Graph API's of throttling.
TABLE: tuple[tuple[int, int, type[SendResult], Reason], ...] = (
    (-1, 2018012, Unknown, Reason.NO_ANSWER),
    (1, 0, Unknown, Reason.NO_ANSWER),
    (1, 99, Unknown, Reason.NO_ANSWER),
    (1, 1357046, Unknown, Reason.NO_ANSWER),
    (2, 0, Unknown, Reason.NO_ANSWER),
    (2, 2018344, Unknown, Reason.NO_ANSWER),
    (3, 0, Refused, Reason.NOT_PERMITTED),
    (4, 0, Deferred, Reason.RATE_LIMITED),
    (4, 2018022, Deferred, Reason.RATE_LIMITED),
    (10, 0, Refused, Reason.NOT_PERMITTED),
    (10, 1893063, Refused, Reason.NOT_PERMITTED),
    (10, 2018065, Refused, Reason.WINDOW_CLOSED),
    (10, 2018108, Refused, Reason.BLOCKED),
    (10, 2018278, Refused, Reason.WINDOW_CLOSED),
    (10, 2018310, Refused, Reason.WINDOW_CLOSED),
    (10, 2534022, Refused, Reason.WINDOW_CLOSED),
    (17, 0, Deferred, Reason.RATE_LIMITED),
    (32, 0, Deferred, Reason.RATE_LIMITED),
    (100, 0, Refused, Reason.BAD_REQUEST),
    (100, 2018001, Refused, Reason.BAD_RECIPIENT),
    (100, 2018008, Refused, Reason.OTHER),
    (100, 2018047, Refused, Reason.UNSUPPORTED),
    (100, 2018109, Refused, Reason.TOO_LARGE),
    (100, 2534014, Refused, Reason.BAD_RECIPIENT),
    (100, 2534029, Refused, Reason.NOT_PERMITTED),
    (102, 0, Refused, Reason.BAD_CREDENTIALS),
    (190, 0, Refused, Reason.BAD_CREDENTIALS),
    (190, 460, Refused, Reason.BAD_CREDENTIALS),
    (190, 463, Refused, Reason.BAD_CREDENTIALS),
    (200, 0, Refused, Reason.NOT_PERMITTED),
    (200, 1545041, Refused, Reason.BLOCKED),
    (200, 2018028, Refused, Reason.NOT_PERMITTED),
    (200, 2534041, Refused, Reason.NOT_PERMITTED),
    (230, 0, Refused, Reason.NOT_PERMITTED),
    (299, 0, Refused, Reason.NOT_PERMITTED),
    (341, 0, Deferred, Reason.RATE_LIMITED),
    (368, 0, Refused, Reason.NOT_PERMITTED),
    (551, 0, Refused, Reason.BLOCKED),
    (551, 1545041, Refused, Reason.BLOCKED),
    (613, 0, Deferred, Reason.RATE_LIMITED),
    (613, 2534040, Deferred, Reason.RATE_LIMITED),
    (1200, 0, Deferred, Reason.PROVIDER_DOWN),
    (80006, 0, Deferred, Reason.RATE_LIMITED),
    (987654, 0, Refused, Reason.OTHER),
)

BUSY = {"x-business-use-case-usage": json.dumps({"1001": [{"type": "messenger", "estimated_time_to_regain_access": 2}]})}

ERRORS = (
    *(Documented(f"{code}/{sub}" if sub else f"{code}", fault(code, sub), outcome, reason) for code, sub, outcome, reason in TABLE),
    Documented(
        "window closed, by its words only",
        fault(10, 0, "(#10) This message is sent outside of allowed window."),
        Refused,
        Reason.WINDOW_CLOSED,
    ),
    Documented("200 with an error inside", fault(190, number=200), Refused, Reason.BAD_CREDENTIALS),
    Documented("401", fault(190, number=401), Refused, Reason.BAD_CREDENTIALS),
    Documented("401 without an error", answer(401), Refused, Reason.BAD_CREDENTIALS),
    Documented("413 of a gateway", answer(413, b"<html>"), Refused, Reason.TOO_LARGE),
    Documented("429 with a time", answer(429, b"", {"Retry-After": "7"}), Deferred, Reason.RATE_LIMITED, after=7.0),
    Documented("80006 with minutes to wait", fault(80006, headers=BUSY), Deferred, Reason.RATE_LIMITED, after=120.0),
    Documented("500 that names a missing right", fault(3, number=500), Refused, Reason.NOT_PERMITTED),
    Documented("500 with a code that is clear elsewhere", fault(551, number=500), Unknown, Reason.PROVIDER_DOWN),
    Documented("code 2 as Meta sends it", fault(2, number=500), Unknown, Reason.PROVIDER_DOWN),
    Documented("200 without a message", answer(200, {"recipient_id": "5001"}), Unknown, Reason.NO_ANSWER),
)


# --- the schema -------------------------------------------------------------------------------------


def closed(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


TEXT, ID, NUMBER = {"type": "string"}, {"type": "string", "minLength": 1}, {"type": "number"}
MILLISECONDS = {"type": "integer", "minimum": 10**12, "maximum": 10**13}
OPEN = {"type": "object"}
YES = {"const": True}

REFERRAL = closed(
    "", ref=TEXT, source=TEXT, type=TEXT, ad_id=TEXT, referer_uri=TEXT, is_guest_user={"type": "string"},
    ads_context_data=closed("", ad_title=TEXT, photo_url=TEXT, video_url=TEXT, post_id=TEXT, product_id=TEXT), product=closed("id", id=ID),
)  # fmt: skip

FILE_KINDS = {"image", "video", "audio", "file", "sticker"}
LINK_KINDS = {"reel", "ig_reel", "post", "ig_post", "share", "story_mention", "ig_story"}
ATTACHMENT = {
    "oneOf": [
        closed("type payload", type={"enum": sorted(FILE_KINDS)}, payload=closed("url", url=ID, sticker_id={"type": "integer"})),
        closed(
            "type payload",
            type={"enum": sorted(LINK_KINDS)},
            payload=closed("url", url=ID, title=TEXT, reel_video_id={"type": "integer"}, ig_post_media_id=TEXT),
        ),
        closed(
            "type payload",
            type={"const": "location"},
            title=TEXT,
            url=TEXT,
            payload=closed("coordinates", coordinates=closed("lat long", lat=NUMBER, long=NUMBER)),
        ),
        closed("type", type={"const": "fallback"}, title=TEXT, url=TEXT, payload={"type": ["object", "null"]}),
        closed("type payload", type={"const": "template"}, title=TEXT, url=TEXT, payload=OPEN),
        closed("type payload", type={"enum": ["appointment_booking", "unsupported_type"]}, payload=OPEN),
    ]
}

MESSAGE = closed(
    "mid",
    mid=ID,
    text=TEXT,
    attachments=array(ATTACHMENT),
    quick_reply=closed("payload", payload=TEXT),
    reply_to={
        "oneOf": [closed("mid", mid=ID, is_self_reply={"type": "boolean"}), closed("story", story=closed("url id", url=ID, id=ID))],
    },
    referral=REFERRAL,
    is_echo=YES,
    is_deleted=YES,
    is_unsupported=YES,
    is_self=YES,
    app_id={"type": "integer"},
    metadata=TEXT,
)

#: What an event is; exactly one of these, beside who and when.
KINDS: dict[str, Any] = {
    "message": MESSAGE,
    "message_edit": closed("mid text num_edit", mid=ID, text=TEXT, num_edit={"type": "integer"}),
    "delivery": closed("watermark", mids=array(ID), watermark=MILLISECONDS),
    "read": {"oneOf": [closed("watermark", watermark=MILLISECONDS), closed("mid", mid=ID)]},
    "postback": closed("", mid=ID, title=TEXT, payload=TEXT, referral=REFERRAL),
    "reaction": closed("action mid", reaction=TEXT, emoji=TEXT, action={"enum": ["react", "unreact"]}, mid=ID),
    "referral": REFERRAL,
    "optin": OPEN,
    "pass_thread_control": OPEN,
    "take_thread_control": OPEN,
    "request_thread_control": OPEN,
    "policy_enforcement": closed("action reason", action={"enum": ["warning", "block", "unblock"]}, reason=TEXT),
}

EVENT = {
    "oneOf": [
        closed(
            f"sender recipient {kind}" + ("" if kind == "delivery" else " timestamp"),
            sender=closed("id", id=ID),
            recipient=closed("id", id=ID),
            timestamp=MILLISECONDS,
            **{kind: shape},
        )
        for kind, shape in KINDS.items()
    ]
}


@cache
def _validator(object_name: str) -> jsonschema.Draft202012Validator:
    entry = closed(
        "id time", id=ID, time=MILLISECONDS, messaging=array(EVENT), standby=array(EVENT),
        changes=array(closed("field value", field=ID, value=OPEN)),
    )  # fmt: skip
    schema = closed("object entry", object={"const": object_name}, entry=array(entry))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def judge(body: Any, object_name: str) -> None:
    """Raises where the body is no webhook call as Meta's reference describes them, or its official-looking model refuses it."""
    _validator(object_name).validate(body)
    read = WebhookPayload.model_validate(body)
    for given, entry in zip(body["entry"], read.entry, strict=True):
        assert len(entry.messaging) == len(given.get("messaging", ())) and len(entry.standby) == len(given.get("standby", ()))
        for raw, event in zip((*given.get("messaging", ()), *given.get("standby", ())), (*entry.messaging, *entry.standby), strict=True):
            assert event.sender.id == raw["sender"]["id"] and event.recipient.id == raw["recipient"]["id"]
            assert (event.message is not None) == ("message" in raw)
