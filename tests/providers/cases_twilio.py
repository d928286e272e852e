"""Twilio under the contract."""

import json
from typing import Any
from urllib.parse import parse_qs, quote_plus

from twilio.request_validator import RequestValidator
from twilio.rest.api.v2010.account.message import MessageInstance

from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, Deferred, Part, RawRequest, Refused, SendResult, Unknown
from heliograph.providers.twilio import Twilio
from tests.providers.contract import BODY_CANARY, CANARY, Case, Documented
from tests.providers.misbehaving import answer

ACCOUNT = "AC" + "0a" * 16
MESSAGE = "SM" + "1b" * 16
SENDER = "+15550100"
CONTACT = "+15550199"
URL = "https://desk.example/hooks/twilio/chn_1"
AT = 1_772_357_400_000_000


class Several:
    """A form with names that come more than once, as the official validator takes it."""

    def __init__(self, body: bytes) -> None:
        self._values = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, name: str) -> list[str]:
        """All values of a name."""
        return self._values[name]


def signature(body: bytes, secret: str, url: str = URL) -> str:
    """By the official library."""
    validator = RequestValidator("")
    validator.token = secret.encode("utf-8", "surrogatepass")
    return validator.compute_signature(url, Several(body))


def signed(body: bytes, secret: str, url: str = URL, query: dict[str, str] | None = None) -> RawRequest:
    headers = {"x-twilio-signature": signature(body, secret, url), "content-type": "application/x-www-form-urlencoded"}
    return RawRequest("POST", "/hooks/twilio/chn_1", query or {}, headers, body, url, AT)


def encode(body: Any) -> bytes:
    """A form. What is no string in a fuzzed body is written as Python does."""
    if not isinstance(body, dict):
        return json.dumps(body).encode()
    values = {name: value if isinstance(value, str) else repr(value) for name, value in body.items()}
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in values.items()).encode()


def _quoted(value: str) -> str:
    return quote_plus(value, errors="surrogatepass")


def judge(body: Any) -> None:
    """Twilio publishes no model of its webhooks: the official library knows their states and how they are signed."""
    official = {str(getattr(MessageInstance.Status, each)) for each in vars(MessageInstance.Status) if each.isupper()}
    assert official and {body[each] for each in ("MessageStatus", "SmsStatus") if each in body} <= official
    assert body["MessageSid"][:2] in ("SM", "MM") and len(body["MessageSid"]) == 34
    validator = RequestValidator(f"{CANARY}-old")
    assert validator.validate(URL, body, signature(encode(body), f"{CANARY}-old"))
    Twilio({**CASE.config}, None).verify(signed(encode(body), f"{CANARY}-old"))  # type: ignore[arg-type]


def text_of(part: Part) -> str:
    return str(part.payload.get("Body", "")) if part.kind == "text" else ""


def error(code: int, reason: Reason, outcome: type[SendResult] = Refused, number: int = 400, **more: Any) -> Documented:
    body = {"code": code, "message": BODY_CANARY, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": number}
    return Documented(f"{number} {code}", answer(number, body, more.pop("headers", {})), outcome, reason, **more)


#: Each code of the table once more, by hand.
REFUSED: dict[Reason, tuple[int, ...]] = {
    Reason.BAD_RECIPIENT: (21211, 21408, 21604, 21608, 21612, 21614, 21910, 30003, 30005, 30006, 63003, 63015, 63024, 63032),
    Reason.BLOCKED: (21610, 30004, 63033),
    Reason.NOT_PERMITTED: (
        *(20005, 20404, 21212, 21603, 21606, 21660, 21701, 21703, 30002, 30032, 30034, 63001, 63007, 63008, 63020, 63022),
    ),
    Reason.TOO_LARGE: (11751, 21617, 30019),
    Reason.UNSUPPORTED: (12300, 30007, 63005, 63006, 63013, 63021),
    Reason.BAD_REQUEST: (21602, 21609, 21620, 21655, 21656, 63027, 63028, 63029, 63030),
    Reason.WINDOW_CLOSED: (63016,),
    Reason.OTHER: (30008, 63019, 63023, 29999),
}
DEFERRED: dict[Reason, tuple[int, ...]] = {
    Reason.RATE_LIMITED: (14107, 20429, 30001, 30022, 63018, 63038),
    Reason.PROVIDER_DOWN: (30410, 63010, 63012),
}


CASE = Case(
    config={
        "account_sid": ACCOUNT,
        "auth_token": f"{CANARY}-token",
        "sender": SENDER,
        "webhook_secret": f"{CANARY}-old {CANARY}-new",
    },
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address(CONTACT, CONTACT),
    accepted=answer(
        201,
        {"sid": MESSAGE, "account_sid": ACCOUNT, "status": "queued", "direction": "outbound-api", "error_code": None, "body": BODY_CANARY},
    ),
    provider_id=MESSAGE,
    valid=answer(200, {"sid": ACCOUNT, "status": "active", "type": "Full", "auth_token": f"{CANARY}-token"}),
    identity=f"account:{ACCOUNT}/{SENDER}",
    errors=(
        error(20003, Reason.BAD_CREDENTIALS, number=401),
        *(error(code, reason) for reason, codes in REFUSED.items() for code in codes),
        *(error(code, reason, Deferred) for reason, codes in DEFERRED.items() for code in codes),
        error(20429, Reason.RATE_LIMITED, Deferred, 429, headers={"Retry-After": "7"}, after=7.0),
        error(20500, Reason.PROVIDER_DOWN, Unknown, 500),
        Documented("401 without a code", answer(401, b""), Refused, Reason.BAD_CREDENTIALS),
        Documented("403 without a code", answer(403, b"<html>"), Refused, Reason.NOT_PERMITTED),
        Documented("404 without a code", answer(404, {"code": [21211]}), Refused, Reason.OTHER),
        Documented("413 of a gateway", answer(413, b"<html>"), Refused, Reason.TOO_LARGE),
        Documented("429 of a gateway", answer(429, b""), Deferred, Reason.RATE_LIMITED),
        Documented("408 of a gateway", answer(408, b""), Unknown, Reason.NO_ANSWER),
        Documented("a redirect", answer(302, b"", {"Location": "https://elsewhere.example"}), Unknown, Reason.NO_ANSWER),
        Documented("201 without a message", answer(201, {}), Unknown, Reason.NO_ANSWER),
        Documented(
            "201 of a message that has failed at once",
            answer(201, {"sid": MESSAGE, "status": "failed", "error_code": 21610, "error_message": BODY_CANARY}),
            Refused,
            Reason.BLOCKED,
        ),
    ),
    signed=signed,
    judge=judge,
    text_of=text_of,
    encode=encode,
    broken=(b"%FF", b"\xff", b"%00"),
    proofs=4,
    codes="heliograph.providers.twilio_codes",
)
