"""WhatsApp Cloud API: sends, checks, uploads and fetches files, lists templates; what comes in is read by `whatsapp_inbound`.

Source: Meta's pages on the Cloud API, by way of pywa and courier. There is no key and no list: an ambiguous send is settled by the
webhook of its status, which brings our id back (`biz_opaque_callback_data`); that none comes proves nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from heliograph.domain.content import Content, Media, Rich
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.reasons import Reason
from heliograph.domain.split import utf16_units
from heliograph.ports.http import Http, HttpFile
from heliograph.ports.provider import (
    TEXT_AND_FILES,
    Accepted,
    Address,
    Advance,
    CheckResult,
    Deferred,
    Field,
    Inbound,
    Inconclusive,
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
from heliograph.providers import certainty, graph, proofs, rendering, whatsapp_content, whatsapp_inbound, whatsapp_templates
from heliograph.providers.whatsapp_codes import CODES as CODES, OF_THE_CONVERSATION
from heliograph.providers.wire import ident, rows, table, text

#: Seconds. A file is uploaded by a call of its own before its message, and both must end well before a lease does.
MESSAGE_TIMEOUT = 10.0
UPLOAD_TIMEOUT = 30.0

SPEC = ProviderSpec(
    name="whatsapp",
    title="WhatsApp",
    fields=(
        Field("phone_number_id", "Phone number ID", hint="WhatsApp, API Setup: not the number itself, but the id beneath it."),
        Field("waba_id", "WhatsApp Business Account ID", hint="WhatsApp, API Setup: beside the phone number ID."),
        Field("token", "Access token", secret=True, hint="A system user's, which does not expire; the one on the page lives a day."),
        graph.SECRET_FIELD,
        graph.VERIFY_TOKEN_FIELD,
        graph.VERSION_FIELD,
        graph.BASE_URL_FIELD,
    ),
    dedupe=DedupeClass.ECHO,
    # Two messages handed over at once can arrive in either order.
    advance=Advance.AFTER_PAUSE,
    # "4096 characters". Counted in UTF-16 units every message fits, whichever are meant.
    text_limit=whatsapp_content.TEXT_LIMIT,
    measure=utf16_units,
    file_limit=whatsapp_content.FILE_LIMIT,
    content={**TEXT_AND_FILES, "location": Support.FULL, "template": Support.FULL, "rich": Support.REFUSED},
    capabilities=frozenset({"webhook", "challenge", "fetch_media", "templates"}),
    timeout=MESSAGE_TIMEOUT + UPLOAD_TIMEOUT,
    reply_window=86_400.0,
    pause=0.5,
    receipts=frozenset({"delivered", "read", "failed"}),
    # Eighty a second for a number (raised to 1,000 by Meta itself, 20 where it is shared with the Business app), and to one
    # contact one in six seconds (131056), of which a burst may be borrowed; how large it may be is not promised.
    rates=Rates(channel=80.0, conversation=1 / 6, burst=5),
    setup=(
        "In the App Dashboard (developers.facebook.com) create an app of type Business and add the product WhatsApp.",
        "WhatsApp, API Setup: add the phone number; copy Phone number ID and WhatsApp Business Account ID.",
        "Business settings, System users: add one, assign it the app and the WhatsApp account, and generate a token that never expires "
        "with whatsapp_business_messaging and whatsapp_business_management. Paste it as Access token.",
        "App settings, Basic: copy the App secret.",
        "Make up a Verify token and save the channel here first: Meta asks for it at once in the next step.",
        "WhatsApp, Configuration, Webhook: Callback URL {webhook_url} and the same Verify token; then subscribe to the field messages, "
        "and to smb_message_echoes where the number is also used in the WhatsApp Business app.",
        "Several numbers in one app: give each its own callback URL (override_callback_uri of the phone number); a call about another "
        "number is not taken.",
    ),
    docs="https://developers.facebook.com/docs/whatsapp/cloud-api",
)


class WhatsApp:
    """One business phone number, reached with its id and an access token.

    A conversation's id is the contact's number (digits, as `wa_id`), or "user:" and the business-scoped id of a contact who shows
    no number, or "group:" and a group's id. A message's id is its wamid.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._phone = config["phone_number_id"].strip()
        self._account = config.get("waba_id", "").strip()
        self._graph = graph.Graph(config, http, token=config["token"], codes=CODES, use_cases=frozenset({"whatsapp"}))
        self._secrets = proofs.webhook_secrets(config)
        self._verify_token = config.get("verify_token", "").strip()

    def __repr__(self) -> str:
        return "WhatsApp()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return rendering.rendered(contents, whatsapp_content.parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Send one message; a file is uploaded before. `key` comes back in every status of the message."""
        payload = dict(part.payload)
        if part.media is not None:
            if part.data is None:
                raise ValueError("a part with a file needs its bytes")
            uploaded = await self._upload(part.media, part.data)
            if not isinstance(uploaded, str):
                return uploaded
            kind = payload["type"]
            payload[kind] = {"id": uploaded, **payload[kind]}
        body = {"messaging_product": "whatsapp", **_recipient(to.conversation), **payload, "biz_opaque_callback_data": key}
        got = await self._graph.call("POST", self._phone, "messages", body=body, timeout=MESSAGE_TIMEOUT)
        if isinstance(got, Deferred) and got.code in OF_THE_CONVERSATION:
            return replace(got, lane=True)
        if not isinstance(got, graph.Ok):
            return got
        messages = [table(each) for each in rows(got.answer.get("messages"))]
        wamid = ident(messages[0].get("id")) if messages else ""
        return Accepted(wamid, got.rest) if wamid else Unknown(Reason.NO_ANSWER, code="ok_without_message")

    async def _upload(self, media: Media, data: bytes) -> str | SendResult:
        """Hand over a file; its id. Whatever becomes of that, no message has been sent by it."""
        media_type = media.media_type.partition(";")[0].strip()
        got = await self._graph.call(
            "POST",
            self._phone,
            "media",
            form={"messaging_product": "whatsapp", "type": media_type},
            files=(HttpFile("file", media.name, media_type, data),),
            timeout=UPLOAD_TIMEOUT,
        )
        if not isinstance(got, graph.Ok):
            # An upload has no parameter but the file's type: "invalid parameter" is a type that is not taken.
            if isinstance(got, Refused) and got.reason is Reason.BAD_REQUEST:
                return Refused(Reason.UNSUPPORTED, got.code, got.detail)
            return certainty.definite(got)
        return ident(got.answer.get("id")) or certainty.definite(Unknown(Reason.NO_ANSWER, code="ok_without_media"))

    # --- templates ------------------------------------------------------------------------------

    async def templates(self) -> list[Template]:
        """The account's approved templates that take text in their body and nothing else. Raises PollFailed."""
        query = {"fields": whatsapp_templates.FIELDS, "status": "APPROVED"}
        found = await self._graph.listing(self._account, "message_templates", query=query)
        return [template for template in map(whatsapp_templates.read, found) if template is not None]

    def fill(self, template: Template, values: Sequence[str]) -> Rich:
        """The content that sends a template. Raises Unsupported where a value is missing, empty or not on one line."""
        return whatsapp_templates.fill(template, values)

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask for the number. The identity is its id, which no change of name or token alters."""
        got = await self._graph.call("GET", self._phone, query={"fields": "id,verified_name,quality_rating"})
        if not isinstance(got, graph.Ok):
            return certainty.as_check(got)
        phone = ident(got.answer.get("id"))
        return Valid(f"phone:{phone}") if phone else Inconclusive(Reason.NO_ANSWER, code="ok_without_number")

    # --- in ---------------------------------------------------------------------------------------

    def verify(self, request: RawRequest) -> None:
        """Compare X-Hub-Signature-256 by each app secret. Raises BadSignature."""
        graph.verify(request, self._secrets)

    def challenge(self, request: RawRequest) -> bytes | None:
        """The answer to Meta's question whether the address is ours. Raises BadSignature where the verify token is another."""
        return graph.challenge(request, self._verify_token)

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return whatsapp_inbound.parse_body(request.body, self._phone)

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind a media id: its address lives five minutes and wants the token. Raises PollFailed."""
        got = await self._graph.call("GET", media.remote or "", query={"phone_number_id": self._phone})
        if not isinstance(got, graph.Ok):
            raise PollFailed(certainty.as_check(got))
        url = text(got.answer.get("url"))
        if not url:
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_url"))
        return await self._graph.download(url, authorized=True, timeout=SPEC.timeout, max_bytes=SPEC.file_limit)


def _recipient(conversation: str) -> dict[str, Any]:
    """The fields that say to whom: a number goes in `to`, a business-scoped user id in `recipient`."""
    kind, colon, rest = conversation.partition(":")
    if colon and kind == "user":
        return {"recipient_type": "individual", "recipient": rest}
    if colon and kind == "group":
        return {"recipient_type": "group", "to": rest}
    return {"recipient_type": "individual", "to": conversation}
