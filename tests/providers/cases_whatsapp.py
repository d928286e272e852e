"""WhatsApp under the contract."""

import copy
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

from pywa.client import WhatsApp
from pywa.errors import WhatsAppError
from pywa.types.base_update import RawUpdate

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, Part, RawRequest, Refused, SendResult, Unknown
from heliograph.providers.whatsapp_codes import CODES
from tests.providers.contract import BODY_CANARY, CANARY, Case, Documented, as_json
from tests.providers.misbehaving import answer

PHONE = "106540352242922"
WABA = "102290129340398"
WAMID = "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBJDQjZCMzlEQUE4OTJBMTE4RTUA"

#: The codes that Meta's page lists without a class in pywa (the Graph API's own), or that are older than it.
WITHOUT_CLASS = {1, 2, 17, 32, 33, 100, 470, 613, 80008, 133004, 133005, 133006, 133008, 133009, 133010, 133015}


def signed(body: bytes, secret: str) -> RawRequest:
    digest = hmac.new(secret.encode("utf-8", "replace"), body, hashlib.sha256).hexdigest()
    return RawRequest("POST", "/hooks/x", {}, {"x-hub-signature-256": f"sha256={digest}"}, body)


def text_of(part: Part) -> str:
    return str(part.payload["text"]["body"]) if part.kind == "text" else ""


def error_of(code: int, subcode: int = 0, **more: Any) -> dict[str, Any]:
    """An error object as the Graph API answers it."""
    error = {"message": f"(#{code}) {BODY_CANARY}", "type": "OAuthException", "code": code, "fbtrace_id": "A1"}
    details = {"messaging_product": "whatsapp", "details": BODY_CANARY}
    return error | ({"error_subcode": subcode} if subcode else {}) | {"error_data": details} | more


def error(code: int, outcome: type[SendResult], reason: Reason, *, http: int = 400, subcode: int = 0, **more: Any) -> Documented:
    headers = more.pop("headers", {})
    fields = more.pop("fields", {})
    body = {"error": error_of(code, subcode, **fields)}
    return Documented(f"{http} {code}.{subcode} {sorted(headers)}", answer(http, body, headers), outcome, reason, **more)


def every_row() -> Iterator[Documented]:
    for (code, subcode), reason in CODES.items():
        outcome = Deferred if reason in (Reason.RATE_LIMITED, Reason.PROVIDER_DOWN) else Refused
        yield error(code, outcome, reason, subcode=subcode, lane=code == 131056)
    yield from (error(code, Refused, CODES[code, 0], subcode=463) for code in (190, 100))


CLIENT = WhatsApp(PHONE, waba_id=WABA)


def judge(body: Any) -> None:
    """Every message and status must be one to pywa, of the right kind, with the right id; it reads one a call, so each gets its own."""
    for entry in body["entry"]:
        for change in entry["changes"]:
            for each in change["value"].get("errors", ()):
                assert type(WhatsAppError.from_dict(each)) is not WhatsAppError
            for rows in ("messages", "message_echoes", "statuses", "user_preferences"):
                for row in change["value"].get(rows, ()):
                    alone = copy.deepcopy(change)
                    alone["value"][rows] = [row]
                    judge_one({"object": body["object"], "entry": [{**entry, "changes": [alone]}]}, row)


def judge_one(body: Any, row: Any) -> None:
    update = RawUpdate(as_json(body), hmac_header=None, update_hash="")
    kind = CLIENT._get_handler_type(update)
    assert kind is not None, "no update to pywa"
    read: Any = CLIENT._handlers_to_updates[kind].from_update(client=CLIENT, update=update)
    if row.get("recipient_type") == "group":
        # A group's statuses come to pywa as one sequence.
        (read,) = read
    assert "id" not in row or read.id == row["id"]
    if "biz_opaque_callback_data" in row:
        assert (read.tracker, read.status.value) == (row["biz_opaque_callback_data"], row["status"])
    if "errors" in row:
        assert isinstance(read.error, WhatsAppError) and read.error.code == row["errors"][0]["code"]


USAGE = '{"102290129340398":[{"type":"whatsapp","call_count":100,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":7}]}'

CASE = Case(
    config={
        "phone_number_id": PHONE,
        "waba_id": WABA,
        "token": f"EAAJB{CANARY}",
        "webhook_secret": f"{CANARY}-old {CANARY}-new",
        "verify_token": f"{CANARY}-verify",
    },
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address("491511234567", "491511234567"),
    accepted=answer(
        200,
        {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "491511234567", "wa_id": "491511234567", "user_id": "DE.13491208655302741918"}],
            "messages": [{"id": WAMID, "message_status": "accepted"}],
        },
    ),
    provider_id=WAMID,
    valid=answer(200, {"id": PHONE, "verified_name": "Shop", "quality_rating": "GREEN"}),
    identity=f"phone:{PHONE}",
    errors=(
        *every_row(),
        error(190, Refused, Reason.BAD_CREDENTIALS, http=401),
        error(0, Refused, Reason.BAD_CREDENTIALS, http=401),
        error(131047, Refused, Reason.WINDOW_CLOSED, http=400, fields={"error_data": "not an object"}),
        error(3, Refused, Reason.NOT_PERMITTED, http=500),
        error(1, Unknown, Reason.PROVIDER_DOWN, http=500),
        error(2, Unknown, Reason.PROVIDER_DOWN, http=503),
        error(131000, Unknown, Reason.PROVIDER_DOWN, http=500),
        error(131016, Unknown, Reason.PROVIDER_DOWN, http=500),
        error(131047, Unknown, Reason.PROVIDER_DOWN, http=502),
        error(999999, Refused, Reason.OTHER),
        error(999998, Deferred, Reason.PROVIDER_DOWN, fields={"is_transient": True}),
        error(999997, Deferred, Reason.RATE_LIMITED, http=429),
        error(130429, Deferred, Reason.RATE_LIMITED, http=429, headers={"Retry-After": "3"}, after=3.0),
        error(80007, Deferred, Reason.RATE_LIMITED, headers={"X-Business-Use-Case-Usage": USAGE}, after=420.0),
        error(4, Deferred, Reason.RATE_LIMITED, headers={"X-App-Usage": '{"call_count":101,"total_time":2}'}, after=60.0),
        error(4, Deferred, Reason.RATE_LIMITED, http=403, headers={"X-App-Usage": "nonsense"}),
        Documented("401 of a gateway", answer(401, b"<html>"), Refused, Reason.BAD_CREDENTIALS),
        Documented("413 of a gateway", answer(413, b"<html>"), Refused, Reason.TOO_LARGE),
        Documented("404 of a gateway", answer(404, b"<html>"), Refused, Reason.OTHER),
        Documented("408 of a gateway", answer(408, b""), Unknown, Reason.NO_ANSWER),
        Documented("302 of a gateway", answer(302, b"", {"Location": "https://elsewhere.example/"}), Unknown, Reason.NO_ANSWER),
        Documented("502 of a gateway", answer(502, b"<html>"), Unknown, Reason.PROVIDER_DOWN),
        Documented("200 with an error inside", answer(200, {"error": error_of(190)}), Refused, Reason.BAD_CREDENTIALS),
        Documented("200 without a message", answer(200, {"messaging_product": "whatsapp", "messages": []}), Unknown, Reason.NO_ANSWER),
    ),
    signed=signed,
    judge=judge,
    # pywa wants the business-scoped id that webhooks bring since April 2026, a number in every system message, an id for every
    # file, and seconds; and it takes no call for another number.
    unjudged=frozenset({"text_without_user_id", "user_id_changed", "media_failed", "text_milliseconds", "other_number"}),
    text_of=text_of,
)
