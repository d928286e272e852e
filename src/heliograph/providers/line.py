"""LINE (Messaging API): pushes, checks, fetches, registers; what comes in is read by `line_inbound`.

Source: LINE's OpenAPI description (line-openapi, 2026-07) and its documentation, "Messaging API reference", "Retry failed API
requests" and "Character counting in a text". Reply tokens are not used: a reply made with one takes no retry key.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

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
    Part,
    PollFailed,
    ProviderSpec,
    RawRequest,
    Refused,
    SendResult,
    Unknown,
    Valid,
)
from heliograph.providers import certainty, fetching, line_inbound, proofs, rendering, wire
from heliograph.providers.line_outbound import API, DATA_API, SPEC, message, parts
from heliograph.providers.wire import ident, rows, table, text

#: Seconds.
MESSAGE_TIMEOUT = 10.0
DOWNLOAD_LIMIT = 200 * 1024 * 1024

#: The name space in which our ids become the UUIDs that LINE wants. Never to be changed: a repeat would be a new message.
RETRY_KEYS = uuid.UUID("6f3c1a52-0d1e-5b7a-9a84-3d1c7d0b2f6e")

#: LINE's errors carry prose, not codes: (number, words, lower case, in the message, or in a detail with its property in
#: brackets) in order of search. Numbers and what they stand for: reference, "Status codes"; messages: "Error messages", and reports
#: to the vendor's own libraries. [M] marks what is from memory and unconfirmed. Each leaves the message certainly not taken.
CODES: tuple[tuple[int, str, Reason], ...] = (
    (400, "the property, 'to',", Reason.BAD_RECIPIENT),
    (400, "[to]", Reason.BAD_RECIPIENT),
    # One cause that the reference names is a user who does not exist.
    (400, "failed to send messages", Reason.BAD_RECIPIENT),
    (400, "length must be between", Reason.TOO_LARGE),  # [M]
    (400, "message type is not available", Reason.UNSUPPORTED),
    (400, "", Reason.BAD_REQUEST),
    (401, "", Reason.BAD_CREDENTIALS),
    (403, "", Reason.NOT_PERMITTED),
    # For a push it was reported of ids that are nobody's.
    (404, "", Reason.BAD_RECIPIENT),
    # A resource that exists no more: what this software calls is out of date.
    (410, "", Reason.BAD_REQUEST),
    (413, "", Reason.TOO_LARGE),
    (415, "", Reason.BAD_REQUEST),
    # The plan's messages of this month are used up: only another plan, or the next month, helps.
    (429, "monthly limit", Reason.NOT_PERMITTED),
    (429, "target limit for additional messages", Reason.NOT_PERMITTED),
    (429, "", Reason.RATE_LIMITED),
)


class Line:
    """One LINE Official Account, reached with its channel access token.

    A conversation's id is the user's, the group's or the room's, which is where a push goes. Messages go by LINE's own ids.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._api = (config.get("base_url") or API).rstrip("/")
        # Content has a host of its own; another address for the API (a sandbox, a proxy) serves both unless told otherwise.
        self._data = (config.get("data_url") or (DATA_API if self._api == API else self._api)).rstrip("/")
        self._token = config["token"].strip()
        self._channel_secrets = proofs.webhook_secrets(config)

    def __repr__(self) -> str:
        return "Line()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return rendering.rendered(contents, parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Push one message, from the first attempt on under a retry key made of `key`: LINE takes each key once.

        Accepted says that LINE has taken it, also where the contact has blocked the account; nothing is heard later.
        """
        if part.media is not None and not part.url:
            raise ValueError("a part with a file needs its address")
        body = {"to": to.conversation, "messages": [message(part)]}
        got = await self._call("POST", "/v2/bot/message/push", body, key=key)
        if not isinstance(got, HttpResponse):
            return got
        sent = table(next(iter(rows(table(wire.decode(got.body)).get("sentMessages"))), None))
        if id := ident(sent.get("id")):
            return Accepted(id)
        first = text(got.headers.get("x-line-accepted-request-id"))
        if got.status == 409 and first:
            return Accepted(f"request:{first}")
        # Repeated under the same key it will tell.
        return Unknown(Reason.NO_ANSWER, code=f"{got.status}_without_message")

    async def _call(self, method: str, path: str, body: Any = None, *, key: str = "") -> HttpResponse | SendResult:
        """One call: its answer where it was taken, now or, under the same `key`, before; else what its error means."""
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        if key:
            headers["x-line-retry-key"] = retry_key(key)
        data = wire.encode(body) if body is not None else None
        try:
            got = await self._http.request(method, f"{self._api}{path}", headers=headers, body=data, timeout=MESSAGE_TIMEOUT)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return got if 200 <= got.status < 300 or (key and got.status == 409) else _error(got)

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask which account the token is for. The identity is its user id, which no change of name or token alters."""
        got = await self._call("GET", "/v2/bot/info")
        if not isinstance(got, HttpResponse):
            return certainty.as_check(got)
        bot = ident(table(wire.decode(got.body)).get("userId"))
        return Valid(f"bot:{bot}") if bot and got.status == 200 else Inconclusive(Reason.NO_ANSWER, code="ok_without_bot")

    # --- in ---------------------------------------------------------------------------------------

    def verify(self, request: RawRequest) -> None:
        """Compare X-Line-Signature with what each of our channel secrets makes of the body. Raises BadSignature."""
        wanted = [signature(secret, request.body) for secret in self._channel_secrets]
        if not proofs.proves(request.headers.get("x-line-signature", ""), wanted):
            raise BadSignature("X-Line-Signature")

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return line_inbound.parse_body(request.body)

    async def register_webhook(self, url: str, secret: str) -> CheckResult:
        """Have events sent to `url`. LINE signs with the channel secret, so `secret` is of no use; "Use webhook" is switched on by hand."""
        got = await self._call("PUT", "/v2/bot/channel/webhook/endpoint", {"endpoint": url})
        return await self.check() if isinstance(got, HttpResponse) else certainty.as_check(got)

    async def name_of(self, contact: str) -> str:
        """The name that a user shows. LINE tells it of friends only: members of a group who are none stay unknown. Raises PollFailed."""
        got = await self._call("GET", f"/v2/bot/profile/{quote(contact, safe='')}")
        if not isinstance(got, HttpResponse):
            raise PollFailed(certainty.as_check(got))
        profile = wire.decode(got.body)
        if got.status != 200 or not isinstance(profile, dict):
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_profile"))
        return text(profile.get("displayName")).strip()

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind a message's id, or behind an address where a service outside LINE holds them. Raises PollFailed."""
        remote = media.remote or ""
        if remote.lower().startswith(("http://", "https://")):
            # Not LINE's: the token is none of its business.
            url, headers = remote, {}
        else:
            url, headers = f"{self._data}/v2/bot/message/{quote(remote, safe='')}/content", {"authorization": f"Bearer {self._token}"}
        got = await fetching.answer(self._http, url, headers=headers, timeout=SPEC.timeout, max_bytes=DOWNLOAD_LIMIT)
        if headers and got.status == 401:
            raise PollFailed(certainty.as_check(_error(got)))
        # 202: a long recording is still being prepared; 404 and 410: LINE keeps files for a while only.
        return fetching.whole(got)


def retry_key(key: str) -> str:
    """Our id of a delivery as the UUID that LINE takes once: always the same one."""
    return str(uuid.uuid5(RETRY_KEYS, key))


def signature(secret: bytes, body: bytes) -> bytes:
    """What X-Line-Signature must say."""
    return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())


def _error(response: HttpResponse) -> SendResult:
    """What an answer that is no success means. 5xx is ambiguous, and so is what is no error at all."""
    answer = table(wire.decode(response.body))
    details = [table(each) for each in rows(answer.get("details"))]
    said = " ".join([text(answer.get("message")), *(f"[{text(each.get('property'))}] {text(each.get('message'))}" for each in details)])
    number, code = response.status, str(response.status)
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, said)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, said)
    words = said.lower()
    for number_of_row, phrase, reason in CODES:
        if number == number_of_row and phrase in words:
            if reason is Reason.RATE_LIMITED:
                return Deferred(reason, certainty.retry_after(response.headers), code, said)
            return Refused(reason, f"{code}_quota" if number == 429 else code, said)
    return Refused(Reason.OTHER, code, said)
