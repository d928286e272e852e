"""Twilio's Messages API, for SMS and for WhatsApp: sends, checks, reads back; what comes in is read by `twilio_inbound`.

Source for paths, fields and codes: Twilio's API reference and its error dictionary. Creating a message is documented as not
idempotent; what makes an ambiguous send certain is our id in the address that Twilio calls with news of the message.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode, urljoin, urlsplit

from heliograph.domain.content import Content, Media
from heliograph.domain.reasons import Reason
from heliograph.ports.http import Http, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import (
    Accepted,
    Address,
    BadSignature,
    CheckResult,
    Deferred,
    Inbound,
    Inconclusive,
    Invalid,
    Part,
    PollFailed,
    ProviderSpec,
    Rates,
    RawRequest,
    Refused,
    SendResult,
    Unknown,
    Valid,
)
from heliograph.providers import certainty, twilio_inbound, wire
from heliograph.providers.twilio_outbound import SPEC, parts
from heliograph.providers.wire import ident, rows, table, text

#: Seconds for one call. Creating a message only queues it.
MESSAGE_TIMEOUT = 15.0

#: By default Twilio repeats a call of ours only when it could not connect. This asks for repeats after a 5xx too.
REPEATS = "#rc=5&rp=all"

#: Pages of 100 that are read back after downtime.
MAX_PAGES = 20
PAGE_BYTES = 4_194_304

#: Source: the error dictionary at https://www.twilio.com/docs/api/errors, by way of other implementations where a page was not
#: read; 63001 to 63033 after the table that maps WhatsApp's own codes. Those with [M] are from memory and unconfirmed.
CODES: dict[int, Reason] = {
    11751: Reason.TOO_LARGE,  # [M]
    12300: Reason.UNSUPPORTED,  # [M] the type of a file
    14107: Reason.RATE_LIMITED,
    20003: Reason.BAD_CREDENTIALS,
    20005: Reason.NOT_PERMITTED,  # [M] account not active
    20404: Reason.NOT_PERMITTED,  # the path holds nothing but the account
    20429: Reason.RATE_LIMITED,
    21211: Reason.BAD_RECIPIENT,
    21212: Reason.NOT_PERMITTED,  # [M] the sender
    # A region that is switched off, or a trial's unverified number, says nothing about the channel's other contacts.
    21408: Reason.BAD_RECIPIENT,
    21608: Reason.BAD_RECIPIENT,  # [M]
    21602: Reason.BAD_REQUEST,  # [M]
    21603: Reason.NOT_PERMITTED,  # [M]
    21604: Reason.BAD_RECIPIENT,  # [M]
    21606: Reason.NOT_PERMITTED,
    21609: Reason.BAD_REQUEST,  # [M] address for receipts
    21610: Reason.BLOCKED,
    21612: Reason.BAD_RECIPIENT,
    21614: Reason.BAD_RECIPIENT,
    21617: Reason.TOO_LARGE,
    21620: Reason.BAD_REQUEST,  # [M] address of a file
    21660: Reason.NOT_PERMITTED,  # [M] the sender is another account's
    21701: Reason.NOT_PERMITTED,  # [M]
    21703: Reason.NOT_PERMITTED,
    21910: Reason.BAD_RECIPIENT,  # [M] an SMS from a WhatsApp sender, or the other way round
    30001: Reason.RATE_LIMITED,
    30002: Reason.NOT_PERMITTED,
    30003: Reason.BAD_RECIPIENT,
    30004: Reason.BLOCKED,
    30005: Reason.BAD_RECIPIENT,
    30006: Reason.BAD_RECIPIENT,
    30007: Reason.UNSUPPORTED,  # filtered for its content
    30008: Reason.OTHER,
    30019: Reason.TOO_LARGE,  # [M]
    30022: Reason.RATE_LIMITED,
    30032: Reason.NOT_PERMITTED,  # [M] sender not verified
    30034: Reason.NOT_PERMITTED,  # [M] sender not registered
    30410: Reason.PROVIDER_DOWN,
    63001: Reason.NOT_PERMITTED,
    63003: Reason.BAD_RECIPIENT,
    63005: Reason.UNSUPPORTED,
    63006: Reason.UNSUPPORTED,
    63007: Reason.NOT_PERMITTED,
    63008: Reason.NOT_PERMITTED,
    63010: Reason.PROVIDER_DOWN,
    63012: Reason.PROVIDER_DOWN,
    63013: Reason.UNSUPPORTED,  # against WhatsApp's policy
    63015: Reason.BAD_RECIPIENT,
    63016: Reason.WINDOW_CLOSED,
    63018: Reason.RATE_LIMITED,
    63019: Reason.OTHER,  # the file could not be fetched: from us, so it may go another time
    63020: Reason.NOT_PERMITTED,
    63021: Reason.UNSUPPORTED,
    63022: Reason.NOT_PERMITTED,
    63023: Reason.OTHER,
    63024: Reason.BAD_RECIPIENT,
    63032: Reason.BAD_RECIPIENT,
    63033: Reason.BLOCKED,
    63038: Reason.RATE_LIMITED,
}

#: What an error without a known code says by its number.
NUMBERS: dict[int, Reason] = {401: Reason.BAD_CREDENTIALS, 403: Reason.NOT_PERMITTED, 413: Reason.TOO_LARGE}

#: An account's own state, where it may not send.
STOPPED = frozenset({"suspended", "closed"})


class Twilio:
    """One sender of one account: a number, a WhatsApp sender, or a Messaging Service that picks one of its own.

    A conversation's id is the contact's address as Twilio writes it: "+15550100" or "whatsapp:+15550100". Events are
    "message:" + sid, as the list has it too, and "receipt:" + sid + state.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __new__(cls, config: Mapping[str, str], http: Http) -> Self:
        """A sender of WhatsApp's has WhatsApp's limits."""
        chosen = _WhatsApp if cls is Twilio and config.get("sender", "").strip().startswith("whatsapp:") else cls
        return object.__new__(chosen)  # type: ignore[return-value]

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._account = config["account_sid"].strip()
        auth_token = config["auth_token"].strip()
        self._sender = config["sender"].strip()
        login = base64.b64encode(f"{self._account}:{auth_token}".encode()).decode("ascii")
        self._authorization = {"authorization": f"Basic {login}"}
        self._base = (config.get("base_url") or "https://api.twilio.com").rstrip("/")
        self._api = f"{self._base}/2010-04-01/Accounts/{quote(self._account, safe='')}"
        self._webhook_url = config.get("webhook_url", "")
        given = config.get("webhook_secret", "").replace(",", " ").split()
        self._webhook_secrets = tuple(each.encode() for each in given or [auth_token])

    def __repr__(self) -> str:
        return "Twilio()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return parts(contents)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Have one message queued. News of it goes to our webhook with `key` in the address, also when the answer is lost."""
        fields = {"To": to.conversation, ("MessagingServiceSid" if self._sender.startswith("MG") else "From"): self._sender}
        fields |= dict(part.payload)
        if part.media is not None:
            if not part.url:
                raise ValueError("a part with a file needs its address")
            fields["MediaUrl"] = part.url
        if self._webhook_url:
            joint = "&" if "?" in self._webhook_url else "?"
            fields["StatusCallback"] = f"{self._webhook_url}{joint}{twilio_inbound.REPLY}={quote(key, safe='')}{REPEATS}"
        got = await self._call("POST", "/Messages.json", fields)
        if not isinstance(got, HttpResponse):
            return got
        message = table(wire.decode(got.body))
        sid, code = ident(message.get("sid")), message.get("error_code")
        if message.get("status") in ("failed", "undelivered"):
            return Refused(_reason(code), code=ident(code) or "failed", detail=text(message.get("error_message")))
        return Accepted(sid) if sid else Unknown(Reason.NO_ANSWER, code=f"{got.status}_without_message")

    async def _call(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, max_bytes: int = 1_048_576
    ) -> HttpResponse | SendResult:
        """One call: the answer if it is a success, else what it means."""
        headers, body = dict(self._authorization), None
        if fields is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields, errors="replace").encode("ascii")
        try:
            url = self._api + path
            response = await self._http.request(method, url, headers=headers, body=body, timeout=MESSAGE_TIMEOUT, max_bytes=max_bytes)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return refusal(response) or response

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask for the account. The identity is the account's with its sender, from which contacts know the business."""
        got = await self._call("GET", ".json")
        if not isinstance(got, HttpResponse):
            return certainty.as_check(got)
        account = table(wire.decode(got.body))
        sid, state = ident(account.get("sid")), text(account.get("status"))
        if not sid:
            return Inconclusive(Reason.NO_ANSWER, code="200_without_account")
        if sid != self._account:
            return Invalid(Reason.WRONG_IDENTITY, code="other_account")
        if state in STOPPED:
            return Invalid(Reason.NOT_PERMITTED, code=state)
        return Valid(f"account:{sid}/{self._sender}")

    # --- in ---------------------------------------------------------------------------------------

    def verify(self, request: RawRequest) -> None:
        """Compare X-Twilio-Signature with what each of our secrets makes of the call. Raises BadSignature."""
        given = request.headers.get("x-twilio-signature", "").encode("utf-8", "replace")
        method = _algorithm(request.headers.get("x-twilio-webhooks-signature-settings", ""))
        signed = _signed_part(request)
        matches = [
            hmac.compare_digest(given, base64.b64encode(hmac.new(secret, url + signed, method).digest()))
            for secret in self._webhook_secrets
            for url in _as_signed(request.url)
        ]
        if not any(matches):
            raise BadSignature("X-Twilio-Signature")

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return twilio_inbound.parse(request, CODES)

    async def history(self, to: Address, after: int) -> list[Inbound]:
        """What the contact wrote after `after`, oldest first: Twilio gives a call of ours up within seconds. Raises PollFailed."""
        day = datetime.fromtimestamp(max(0, after) / 1_000_000, UTC).strftime("%Y-%m-%d")
        filters = {"From": to.conversation, "DateSent>": day, "PageSize": "100"}
        if not self._sender.startswith("MG"):
            filters["To"] = self._sender
        path = f"/Messages.json?{urlencode(filters)}"
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            page = await self._list(path, "messages")
            fresh = [each for each in map(table, page["messages"]) if not 0 < twilio_inbound.moment(each) <= after]
            found.extend(each for each in fresh if each.get("direction") == "inbound")
            following = text(page.get("next_page_uri"))
            # Newest first: a page with something older is the last that matters.
            if len(fresh) < len(page["messages"]) or not following:
                found.sort(key=lambda each: (twilio_inbound.moment(each), ident(each.get("sid"))))
                return [twilio_inbound.listed(each, await self._files(each)) for each in found]
            path = following.partition(f"/Accounts/{self._account}")[2]
        raise PollFailed(Inconclusive(Reason.OTHER, code="too_many_pages"))

    async def _files(self, message: Mapping[str, Any]) -> list[Media]:
        if ident(message.get("num_media")) in ("", "0"):
            return []
        page = await self._list(f"/Messages/{quote(ident(message.get('sid')), safe='')}/Media.json", "media_list")
        uris = [(text(each.get("uri")).removesuffix(".json"), text(each.get("content_type"))) for each in map(table, page["media_list"])]
        return [twilio_inbound.media(self._base + uri, media_type) for uri, media_type in uris if uri]

    async def _list(self, path: str, name: str) -> Mapping[str, Any]:
        got = await self._call("GET", path, max_bytes=PAGE_BYTES)
        if not isinstance(got, HttpResponse):
            raise PollFailed(certainty.as_check(got))
        page = table(wire.decode(got.body))
        if not isinstance(page.get(name), list):
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code=f"200_without_{name}"))
        return {**page, name: rows(page[name])}

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes of a file. Twilio points on to a store, which must not see our token. Raises PollFailed."""
        url = media.remote or ""
        response = await self._get(url, self._authorization if _origin(url) == _origin(self._base) else {})
        if response.status in (301, 302, 303, 307, 308) and response.headers.get("location"):
            response = await self._get(urljoin(url, response.headers["location"]), {})
        if response.status != 200:
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code=str(response.status)))
        return response.body

    async def _get(self, url: str, headers: Mapping[str, str]) -> HttpResponse:
        try:
            return await self._http.request("GET", url, headers=headers, timeout=SPEC.timeout, max_bytes=SPEC.file_limit)
        except NotSent as error:
            raise PollFailed(certainty.as_check(certainty.not_sent(error))) from None
        except MaybeSent as error:
            too_large = str(error) == "too_large"
            raise PollFailed(Inconclusive(Reason.TOO_LARGE if too_large else Reason.NO_ANSWER, code=str(error))) from None


class _WhatsApp(Twilio):
    """A WhatsApp sender: free text only within a day of the contact's last message (63016), and 80 messages a second."""

    spec: ClassVar[ProviderSpec] = replace(SPEC, reply_window=86_400.0, rates=Rates(channel=80.0))


def refusal(response: HttpResponse) -> SendResult | None:
    """What an answer that is no success means; None for a success. A 500 may have queued the message (20500)."""
    number = response.status
    if 200 <= number < 300:
        return None
    answer = table(wire.decode(response.body))
    given = answer.get("code")
    code, detail = ident(given) or str(number), text(answer.get("message"))
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, detail)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, detail)
    known = CODES.get(given) if type(given) is int else None
    reason = known or NUMBERS.get(number, Reason.OTHER)
    if number == 429 or reason in (Reason.RATE_LIMITED, Reason.PROVIDER_DOWN):
        reason = Reason.RATE_LIMITED if number == 429 else reason
        return Deferred(reason, certainty.retry_after(response.headers), code, detail)
    return Refused(reason, code, detail)


def _reason(code: Any) -> Reason:
    return CODES.get(code, Reason.OTHER) if type(code) is int else Reason.OTHER


def _algorithm(settings: str) -> str:
    """The digest that a call is signed with: a key shared for webhooks signs with SHA-256, the account's token with SHA-1."""
    named = {name.strip(): value.strip().upper() for name, _, value in (each.partition("=") for each in settings.split(","))}
    match named.get("algorithm", "") or "HMAC_SHA1":
        case "HMAC_SHA1":
            return "sha1"
        case "HMAC_SHA256":
            return "sha256"
        case _:
            raise BadSignature("algorithm")


def _signed_part(request: RawRequest) -> bytes:
    """What is signed after the address: the form's pairs in order, or nothing where the address holds the body's hash."""
    if digest := request.query.get("bodySHA256", ""):
        if not hmac.compare_digest(digest.encode("utf-8", "replace"), hashlib.sha256(request.body).hexdigest().encode()):
            raise BadSignature("bodySHA256")
        return b""
    return b"".join(name + value for name, value in sorted(set(twilio_inbound.pairs(request.body))))


def _as_signed(url: str) -> list[bytes]:
    """The address in the forms in which Twilio may have signed it: with the port or without.

    Whether the fragment that asks for repeats is signed with it is documented nowhere, so both are tried.
    """
    try:
        at = urlsplit(url)
        port = at.port or {"http": 80, "https": 443}.get(at.scheme, 0)
        host = at.netloc.rpartition(":")[0] if at.port else at.netloc
    except ValueError:
        return [url.encode("utf-8", "replace")]
    bare = [at._replace(netloc=host).geturl(), at._replace(netloc=f"{host}:{port}").geturl()]
    return [form.encode("utf-8", "replace") for plain in bare for form in (plain, plain + REPEATS)]


def _origin(url: str) -> tuple[str, str]:
    try:
        return urlsplit(url)[:2]
    except ValueError:
        return ("", "")
