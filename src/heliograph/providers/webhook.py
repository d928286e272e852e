"""A channel that somebody builds themselves: replies go out, and everything else comes in, as signed JSON.

What the other side must do is in docs/webhook-channel.md, with a JSON schema. What comes in is read by `webhook_inbound`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from heliograph.domain.content import Content, Media
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
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
    ProviderSpec,
    RawRequest,
    Refused,
    SendResult,
    Unknown,
    Valid,
)
from heliograph.ports.runtime import Clock
from heliograph.providers import certainty, fetching, proofs, rendering, webhook_inbound, webhook_signature, wire
from heliograph.providers.webhook_outbound import SPEC, message, parts
from heliograph.providers.wire import ident, table, text

DOWNLOAD_LIMIT = 200 * 1024 * 1024

#: What a refusal means that names no reason: docs/webhook-channel.md. An address where nothing answers as it should is a mistake in
#: the set-up, and no reply's fault.
CODES: dict[int, Reason] = {
    400: Reason.BAD_REQUEST,
    401: Reason.BAD_CREDENTIALS,
    403: Reason.NOT_PERMITTED,
    404: Reason.NOT_PERMITTED,
    405: Reason.NOT_PERMITTED,
    410: Reason.NOT_PERMITTED,
    413: Reason.TOO_LARGE,
    415: Reason.BAD_REQUEST,
    422: Reason.BAD_REQUEST,
    429: Reason.RATE_LIMITED,
}


class Webhook:
    """One service, at one address, which takes each id once.

    The id of a call is the delivery's, with a hyphen where that has a point: the point separates what is signed.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._url = config.get("base_url", "").strip()
        self._webhook_url = config.get("webhook_url", "")
        keys = [webhook_signature.secret_bytes(each) for each in proofs.live(config)]
        self._keys = [key for key in keys if key is not None]
        #: Whether each secret is one: half of a change must not go unnoticed.
        self._usable = bool(keys) and None not in keys
        self._clock: Clock | None = None

    def __repr__(self) -> str:
        return "Webhook()"

    def keep_time(self, clock: Clock) -> None:
        self._clock = clock

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return rendering.rendered(contents, parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Post one message under an id made of `key`, which the service takes once."""
        if part.media is not None and not part.url:
            raise ValueError("a part with a file needs its address")
        id = call_id(key)
        body = {"type": "message", "id": id, "conversation": to.conversation, "contact": to.contact, "message": message(part)}
        got = await self._call(id, body)
        if not isinstance(got, HttpResponse):
            return got
        taken = ident(table(wire.decode(got.body)).get("id"))
        # Without the service's own id nothing says that it was the service that answered. Repeated, it will tell.
        return Accepted(taken) if taken else Unknown(Reason.NO_ANSWER, code=f"{got.status}_without_id")

    async def _call(self, id: str, body: Mapping[str, Any]) -> HttpResponse | SendResult:
        """One signed call: its answer where it was taken, now or before (409), else what its error means."""
        if not self._usable:
            return Refused(Reason.BAD_CREDENTIALS, "secret_unusable")
        data = wire.encode(body)
        headers = {"content-type": "application/json", **self._signed(id, data)}
        try:
            got = await self._http.request("POST", self._url, headers=headers, body=data, timeout=SPEC.timeout)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return got if 200 <= got.status < 300 or got.status == 409 else _refusal(got)

    def _signed(self, id: str, body: bytes) -> dict[str, str]:
        return webhook_signature.headers(self._keys, id, self._now(), body)

    def _now(self) -> int:
        """Unix seconds."""
        if self._clock is None:
            raise RuntimeError("keep_time was not called")
        return self._clock.now() // SECOND

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask the service who it is, and tell it where it reaches us. The identity is what it calls the channel."""
        if not self._usable:
            return Invalid(Reason.BAD_CREDENTIALS, "secret_unusable")
        got = await self._call(f"ping-{self._now()}", {"type": "ping", "webhook_url": self._webhook_url})
        if not isinstance(got, HttpResponse):
            return certainty.as_check(got)
        identity = ident(table(wire.decode(got.body)).get("identity")) if got.status != 409 else ""
        return Valid(f"webhook:{identity}") if identity else Inconclusive(Reason.NO_ANSWER, code="ok_without_identity")

    # --- in ---------------------------------------------------------------------------------------

    def verify(self, request: RawRequest) -> None:
        """Prove id, age and body with each of our secrets. Raises BadSignature."""
        if fault := webhook_signature.fault(self._keys, request.headers, request.body, now=request.at // SECOND):
            raise BadSignature(fault)

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return webhook_inbound.parse_body(request.body)

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind a file's address; the service's own host gets the request signed. Raises PollFailed."""
        url = media.remote or ""
        headers = self._signed("fetch", b"") if self._usable and fetching.same_origin(url, self._url) else {}
        return await fetching.file(self._http, url, headers=headers, timeout=SPEC.timeout, max_bytes=DOWNLOAD_LIMIT)


def call_id(key: str) -> str:
    """Our id of a delivery as it is signed. `webhook_inbound.key_of` undoes it."""
    return key.replace(".", "-")


def _refusal(response: HttpResponse) -> SendResult:
    """What an answer that is no success means. 5xx is ambiguous, and so is what is no error at all."""
    answer, number = table(wire.decode(response.body)), response.status
    code, detail = wire.name(answer.get("code"), str(number)), text(answer.get("detail"))
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, detail)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, detail)
    reason = webhook_inbound.reason_of(answer, webhook_inbound.REASONS) if "reason" in answer else CODES.get(number, Reason.OTHER)
    if reason is Reason.MOVED:
        new = ident(answer.get("conversation"))
        return Deferred(reason, 0.0, code, detail, readdress=new) if new else Refused(Reason.OTHER, code, detail)
    if reason in (Reason.RATE_LIMITED, Reason.PROVIDER_DOWN):
        return Deferred(reason, certainty.retry_after(response.headers), code, detail)
    return Refused(reason, code, detail)
