"""A self-built channel under the contract. Its judge is the schema that docs/webhook-channel.md publishes."""

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, RawRequest, Refused, SendResult, Unknown
from heliograph.providers.webhook_signature import headers, secret_bytes
from tests.providers.contract import BODY_CANARY, CANARY, NOON, Case, Documented
from tests.providers.misbehaving import answer

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "webhook-channel.schema.json").read_text(encoding="utf-8"))

#: Whoever writes secrets in base64 can have a canary in them.
OLD = f"whsec_{CANARY}{'Old0' * 8}Aw=="
NEW = f"whsec_{CANARY}{'New1' * 8}Aw=="


def judge_of(name: str) -> jsonschema.Draft202012Validator:
    """The published shape of one kind of body: "call", "answer", "identity", "refusal" or "events"."""
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def judge(body: Any) -> None:
    judge_of("events").validate(body)


def signed(body: bytes, secret: str) -> RawRequest:
    """With a key made of the secret's own bytes where it is no secret at all."""
    key = secret_bytes(secret) or base64.b64encode(secret.encode("utf-8", "surrogateescape"))
    proof = headers([key], "msg_7001", NOON.now() // 1_000_000, body)
    return RawRequest("POST", "/hooks/x", {}, proof, body, at=NOON.now())


def refusal(number: int, reason: str, outcome: type[SendResult], expected: Reason, *, headers: Any = None, **more: Any) -> Documented:
    body = {"reason": reason, "code": "E7", "detail": BODY_CANARY}
    if "conversation" in more:
        body["conversation"] = more.pop("conversation")
    judge_of("refusal").validate(body)
    return Documented(f"{number} {reason} {headers or ''}", answer(number, body, headers), outcome, expected, **more)


def bare(number: int, outcome: type[SendResult], expected: Reason, **more: Any) -> Documented:
    return Documented(f"{number} without a reason", answer(number, {"message": BODY_CANARY}), outcome, expected, **more)


CASE = Case(
    config={"base_url": "https://peer.example/heliograph", "webhook_secret": f"{OLD} {NEW}"},
    webhook_secrets=(OLD, NEW),
    base_url=lambda server: f"{server}/heliograph",
    to=Address("room-7", "ada"),
    accepted=answer(200, {"id": "m-42"}),
    provider_id="m-42",
    valid=answer(200, {"identity": "shop-chat"}),
    identity="webhook:shop-chat",
    errors=(
        refusal(422, "bad_recipient", Refused, Reason.BAD_RECIPIENT),
        refusal(422, "blocked", Refused, Reason.BLOCKED),
        refusal(410, "conversation_closed", Refused, Reason.CONVERSATION_CLOSED),
        refusal(422, "window_closed", Refused, Reason.WINDOW_CLOSED),
        refusal(413, "too_large", Refused, Reason.TOO_LARGE),
        refusal(422, "unsupported", Refused, Reason.UNSUPPORTED),
        refusal(400, "bad_request", Refused, Reason.BAD_REQUEST),
        refusal(401, "bad_credentials", Refused, Reason.BAD_CREDENTIALS),
        refusal(402, "not_permitted", Refused, Reason.NOT_PERMITTED),
        refusal(429, "rate_limited", Deferred, Reason.RATE_LIMITED),
        refusal(429, "rate_limited", Deferred, Reason.RATE_LIMITED, headers={"Retry-After": "9"}, after=9.0),
        refusal(424, "provider_down", Deferred, Reason.PROVIDER_DOWN, headers={"Retry-After": "30"}, after=30.0),
        refusal(422, "moved", Deferred, Reason.MOVED, conversation="room-8", after=0.0, readdress="room-8"),
        Documented("moved to nowhere", answer(422, {"reason": "moved"}), Refused, Reason.OTHER),
        Documented("ours to find", answer(422, {"reason": "exhausted"}), Refused, Reason.OTHER),
        Documented("no reason of ours", answer(400, {"reason": "because", "code": "two words"}), Refused, Reason.OTHER),
        Documented("no word", answer(400, {"reason": 7}), Refused, Reason.OTHER),
        bare(400, Refused, Reason.BAD_REQUEST),
        bare(401, Refused, Reason.BAD_CREDENTIALS),
        bare(403, Refused, Reason.NOT_PERMITTED),
        bare(404, Refused, Reason.NOT_PERMITTED),
        bare(405, Refused, Reason.NOT_PERMITTED),
        bare(410, Refused, Reason.NOT_PERMITTED),
        bare(413, Refused, Reason.TOO_LARGE),
        bare(415, Refused, Reason.BAD_REQUEST),
        bare(422, Refused, Reason.BAD_REQUEST),
        bare(418, Refused, Reason.OTHER),
        bare(429, Deferred, Reason.RATE_LIMITED),
        bare(302, Unknown, Reason.NO_ANSWER),
        bare(408, Unknown, Reason.NO_ANSWER),
        bare(500, Unknown, Reason.PROVIDER_DOWN),
        Documented("500 that says otherwise", answer(500, {"reason": "blocked"}), Unknown, Reason.PROVIDER_DOWN),
        Documented("200 without an id", answer(200, {"ok": True}), Unknown, Reason.NO_ANSWER),
        Documented("409 without an id", answer(409, {}), Unknown, Reason.NO_ANSWER),
    ),
    signed=signed,
    judge=judge,
    unjudged=frozenset({"unknown_event", "incomplete_receipt", "message_unknown_content"}),
    text_of=lambda part: str(part.payload.get("text", "")),
)
