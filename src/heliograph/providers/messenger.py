"""Messenger (Meta's Messenger Platform): one Facebook Page. What comes in is read by `meta_messaging_inbound`.

Source: Meta's pages on sending messages, saving assets, rate limits and webhooks of the Messenger Platform.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from heliograph.domain.content import Media, MediaKind
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.reasons import Reason
from heliograph.domain.split import utf16_units
from heliograph.ports.http import Http, HttpFile
from heliograph.ports.provider import (
    TEXT_AND_FILES,
    Advance,
    CheckResult,
    Deferred,
    Field,
    Inconclusive,
    Invalid,
    Part,
    ProviderSpec,
    Rates,
    SendResult,
    Support,
    Valid,
)
from heliograph.providers import certainty, graph
from heliograph.providers.graph import Graph, Ok
from heliograph.providers.meta_messaging import (
    APP_FIELD,
    CODES,
    DAY,
    HUMAN_AGENT_FIELD,
    MESSAGE_TIMEOUT,
    UPLOAD_TIMEOUT,
    MetaMessaging,
)
from heliograph.providers.meta_messaging_inbound import Owner
from heliograph.providers.wire import ident, text

#: Media types that are shown as more than a file; the rest goes as a file, which Meta takes as it is.
SHOWN: dict[MediaKind, frozenset[str]] = {
    MediaKind.IMAGE: frozenset({"image/jpeg", "image/png", "image/gif"}),
    MediaKind.VIDEO: frozenset({"video/mp4", "video/quicktime", "video/webm", "video/ogg"}),
    MediaKind.AUDIO: frozenset({"audio/mpeg", "audio/mp3", "audio/mp4", "audio/x-m4a", "audio/aac", "audio/wav", "audio/ogg"}),
}

SPEC = ProviderSpec(
    name="messenger",
    title="Messenger",
    fields=(
        Field("page_id", "Page ID", hint="The Page, About, Page transparency."),
        Field("token", "Page access token", secret=True, hint="App dashboard, Messenger, Messenger API settings, Generate access tokens."),
        graph.SECRET_FIELD,
        graph.VERIFY_TOKEN_FIELD,
        APP_FIELD,
        HUMAN_AGENT_FIELD,
        graph.VERSION_FIELD,
        graph.BASE_URL_FIELD,
    ),
    dedupe=DedupeClass.ECHO,
    advance=Advance.ON_ACCEPTANCE,
    # "2000 characters" in the documentation, which does not say of what kind; in UTF-16 units every message fits.
    text_limit=2000,
    measure=utf16_units,
    file_limit=25 * 1024 * 1024,
    content={
        **TEXT_AND_FILES,
        # As words and a link.
        "location": Support.PARTIAL,
        "rich": Support.REFUSED,
    },
    capabilities=frozenset({"webhook", "challenge", "fetch_media", "names"}),
    timeout=MESSAGE_TIMEOUT + UPLOAD_TIMEOUT,
    reply_window=DAY,
    receipts=frozenset({"delivered", "read"}),
    # Text; 10 for audio and video. A limit by conversation exists and is not published.
    rates=Rates(channel=300.0),
    setup=(
        "At developers.facebook.com, create an app of type Business and add the product Messenger.",
        "App settings, Basic: copy the App secret and the App ID.",
        "Messenger, Messenger API settings: connect the Page, and generate its access token.",
        "In the same place, Configure webhooks: callback URL {webhook_url}, and as Verify token a word that you make up. "
        "Type the same word in here first, for Meta asks at once. An app has one callback URL: connect one Page to one app.",
        "Subscribe to messages, messaging_postbacks, message_deliveries, message_reads, message_echoes, message_edits and "
        "message_reactions, for the app and with Add Subscriptions for the Page. "
        "Without message_echoes no doubtful reply settles by itself.",
        "For contacts who have no role in the app, pages_messaging needs Advanced Access (App Review), and the app must be live.",
    ),
    docs="https://developers.facebook.com/docs/messenger-platform",
)


class Messenger(MetaMessaging):
    """One Page. Its identity is "page:" + its id."""

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._page = config["page_id"].strip()
        api = Graph(config, http, token=config["token"], codes=CODES, use_cases=frozenset({"messenger", "pages"}))
        owner = Owner("page", frozenset({self._page}), config.get("app_id", "").strip())
        super().__init__(config, api, owner, self._page)

    def _file(self, media: Media) -> Part:
        shown = media.media_type in SHOWN.get(media.kind, frozenset())
        return Part(media.kind.value, {"type": media.kind.value if shown else "file"}, media)

    async def _attach(self, part: Part, media: Media) -> dict[str, Any] | SendResult:
        """Upload the file by itself, so that what fails here has certainly not been sent, and name it by its id."""
        if part.data is None:
            raise ValueError("a part with a file needs its bytes")
        kind = part.payload["type"]
        described = json.dumps({"attachment": {"type": kind, "payload": {"is_reusable": True}}})
        file = HttpFile("filedata", media.name, media.media_type, part.data)
        got = await self._graph.call(
            "POST", self._page, "message_attachments", form={"message": described}, files=(file,), timeout=UPLOAD_TIMEOUT
        )  # fmt: skip
        if not isinstance(got, Ok):
            return got
        uploaded = ident(got.answer.get("attachment_id"))
        if not uploaded:
            return Deferred(Reason.PROVIDER_DOWN, code="upload_without_id")
        return {"type": kind, "payload": {"attachment_id": uploaded}}

    async def name_of(self, contact: str) -> str:
        """First and last name. Raises PollFailed, also where the contact has not agreed to be known."""
        profile = await self._profile(contact, "first_name,last_name")
        return " ".join(filter(None, (text(profile.get(each)).strip() for each in ("first_name", "last_name"))))

    async def check(self) -> CheckResult:
        """Ask whose token it is."""
        got = await self._graph.call("GET", "me", query={"fields": "id,name"}, timeout=MESSAGE_TIMEOUT)
        if not isinstance(got, Ok):
            return certainty.as_check(got)
        page = ident(got.answer.get("id"))
        if not page:
            return Inconclusive(Reason.NO_ANSWER, code="ok_without_page")
        return Valid(f"page:{page}") if page == self._page else Invalid(Reason.WRONG_IDENTITY, code="another_page")
