"""Twilio's Messages API, for SMS and for WhatsApp: sends, checks, reads back; what comes in is read by `twilio_inbound`.

Source for paths, fields and codes: Twilio's API reference and its error dictionary. Creating a message is documented as not
idempotent; what makes an ambiguous send certain is our id in the address that Twilio calls with news of the message.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode

from heliograph.domain.content import Content, Media, Rich
from heliograph.domain.reasons import Reason
from heliograph.ports.http import Http, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import (
    Accepted,
    Address,
    CheckResult,
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
    Support,
    Template,
    Unknown,
    Valid,
)
from heliograph.providers import certainty, fetching, proofs, rendering, twilio_inbound, twilio_signature, twilio_templates, wire
from heliograph.providers.twilio_codes import CODES, reason_of, refusal
from heliograph.providers.twilio_outbound import BASE_URL, SPEC, parts
from heliograph.providers.wire import ident, rows, table, text

#: Seconds for one call. Creating a message only queues it.
MESSAGE_TIMEOUT = 15.0

#: Pages of 100 that are read back after downtime.
MAX_PAGES = 20
PAGE_BYTES = 4_194_304

#: An account's own state, where it may not send.
STOPPED = frozenset({"suspended", "closed"})


class Twilio:
    """One sender of one account: a number, a WhatsApp sender, or a Messaging Service that picks one of its own.

    A conversation's id is the contact's address as Twilio writes it: "+15550100" or "whatsapp:+15550100". Events are
    "message:" + sid, as the list has it too, and "receipt:" + sid + state.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __new__(cls, config: Mapping[str, str], http: Http) -> Self:
        """A sender of WhatsApp's has WhatsApp's limits, and its templates."""
        sender = config.get("sender", "").strip()
        if cls is not Twilio:
            return object.__new__(cls)
        chosen = _WhatsApp if sender.startswith("whatsapp:") else _WithTemplates if sender.startswith("MG") else cls
        return object.__new__(chosen)  # type: ignore[return-value]

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._account = config["account_sid"].strip()
        auth_token = config["auth_token"].strip()
        self._sender = config["sender"].strip()
        login = base64.b64encode(f"{self._account}:{auth_token}".encode()).decode("ascii")
        self._authorization = {"authorization": f"Basic {login}"}
        self._base = (config.get("base_url") or BASE_URL).rstrip("/")
        self._api = f"{self._base}/2010-04-01/Accounts/{quote(self._account, safe='')}"
        self._content = self._base.replace("https://api.", "https://content.")
        self._webhook_url = config.get("webhook_url", "")
        self._webhook_secrets = proofs.webhook_secrets(config) or (auth_token.encode(),)

    def __repr__(self) -> str:
        return "Twilio()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return rendering.rendered(contents, parts)

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
            fields["StatusCallback"] = f"{self._webhook_url}{joint}{twilio_inbound.REPLY}={quote(key, safe='')}{twilio_signature.REPEATS}"
        got = await self._call("POST", "/Messages.json", fields)
        if not isinstance(got, HttpResponse):
            return got
        message = table(wire.decode(got.body))
        sid, code = ident(message.get("sid")), message.get("error_code")
        if message.get("status") in ("failed", "undelivered"):
            return Refused(reason_of(code), code=ident(code) or "failed", detail=text(message.get("error_message")))
        return Accepted(sid) if sid else Unknown(Reason.NO_ANSWER, code=f"{got.status}_without_message")

    async def _call(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, max_bytes: int = 1_048_576
    ) -> HttpResponse | SendResult:
        """One call: the answer if it is a success, else what it means."""
        headers, body = dict(self._authorization), None
        if fields is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields, errors="replace").encode("ascii")
        return await self._request(method, self._api + path, headers=headers, body=body, max_bytes=max_bytes)

    async def _request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None, max_bytes: int
    ) -> HttpResponse | SendResult:
        headers = headers or self._authorization
        try:
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
        twilio_signature.verify(request, self._webhook_secrets)

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
        headers = self._authorization if fetching.same_origin(url, self._base) else {}
        got = await fetching.answer(self._http, url, headers=headers, timeout=SPEC.timeout, max_bytes=SPEC.file_limit)
        if store := fetching.onward(url, got):
            return await fetching.file(self._http, store, headers={}, timeout=SPEC.timeout, max_bytes=SPEC.file_limit)
        return fetching.whole(got)


class _WithTemplates(Twilio):
    """A Messaging Service, which may hold a WhatsApp sender."""

    spec: ClassVar[ProviderSpec] = replace(
        SPEC, content={**SPEC.content, "template": Support.FULL}, capabilities=SPEC.capabilities | {"templates"}
    )

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages; a template is one. Raises Unsupported."""
        return rendering.rendered(contents, _with_templates)

    async def templates(self) -> list[Template]:
        """All approved templates that can be sent with text values only. Raises PollFailed."""
        url, found = f"{self._content}/v1/ContentAndApprovals?PageSize=100", list[Any]()
        for _ in range(MAX_PAGES):
            got = await self._request("GET", url, max_bytes=PAGE_BYTES)
            if not isinstance(got, HttpResponse):
                raise PollFailed(certainty.as_check(got))
            page = table(wire.decode(got.body))
            if not isinstance(page.get("contents"), list):
                raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="200_without_contents"))
            found.extend(page["contents"])
            url = text(table(page.get("meta")).get("next_page_url"))
            if not fetching.same_origin(url, self._content):
                return [template for template in map(twilio_templates.read, found) if template is not None]
        raise PollFailed(Inconclusive(Reason.OTHER, code="too_many_pages"))

    def fill(self, template: Template, values: Sequence[str]) -> Rich:
        """The content that sends a template. Raises Unsupported where a value is missing, empty or not on one line."""
        return twilio_templates.fill(template, values)


def _with_templates(content: Content) -> Iterable[Part]:
    if isinstance(content, Rich) and content.kind == "template":
        return [Part("template", twilio_templates.fields(content))]
    return parts(content)


class _WhatsApp(_WithTemplates):
    """A WhatsApp sender: free text only within a day of the contact's last message (63016), and 80 messages a second."""

    spec: ClassVar[ProviderSpec] = replace(_WithTemplates.spec, reply_window=86_400.0, rates=Rates(channel=80.0))
