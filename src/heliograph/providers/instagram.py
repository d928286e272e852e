"""Instagram messaging: one professional account. What comes in is read by `meta_messaging_inbound`.

Source: Meta's pages on Instagram messaging, with Facebook Login (graph.facebook.com, through the linked Page) and with
Instagram Login (graph.instagram.com, without a Page).

What is not confirmed: that an echo repeats our metadata. Where it does not, the app's id tells our own messages from
others, and a doubtful one stays doubtful. That Instagram Login takes `metadata` and `tag` is not confirmed either: its
pages do not show them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from heliograph.domain.content import Media, MediaKind
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.reasons import Reason
from heliograph.domain.split import utf8_bytes
from heliograph.ports.http import Http
from heliograph.ports.provider import (
    Advance,
    CheckResult,
    Field,
    Inconclusive,
    Invalid,
    Part,
    ProviderSpec,
    Rates,
    SendResult,
    Support,
    Unsupported,
    Valid,
)
from heliograph.providers import certainty, graph
from heliograph.providers.graph import Graph, Ok
from heliograph.providers.meta_messaging import APP_FIELD, CODES, DAY, HUMAN_AGENT_FIELD, MESSAGE_TIMEOUT, MetaMessaging
from heliograph.providers.meta_messaging_inbound import Owner
from heliograph.providers.wire import ident, table, text

#: With Facebook Login; with Instagram Login it is the other.
FACEBOOK, INSTAGRAM = graph.BASE_URL, "https://graph.instagram.com"

IMAGE_LIMIT = 8 * 1024 * 1024

SPEC = ProviderSpec(
    name="instagram",
    title="Instagram",
    fields=(
        Field("account_id", "Instagram account ID", hint="The professional account's number, as webhooks name it; not its user name."),
        Field("token", "Access token", secret=True, hint="The Page's (Facebook Login) or the Instagram user's (Instagram Login)."),
        Field("page_id", "Page ID", required=False, hint="With Facebook Login: the Page that the account is linked to. Else empty."),
        graph.SECRET_FIELD,
        graph.VERIFY_TOKEN_FIELD,
        APP_FIELD,
        HUMAN_AGENT_FIELD,
        graph.VERSION_FIELD,
        Field("base_url", "Address of the API", required=False, hint=f"{FACEBOOK} with a Page, else {INSTAGRAM}."),
    ),
    dedupe=DedupeClass.ECHO,
    advance=Advance.ON_ACCEPTANCE,
    text_limit=1000,
    measure=utf8_bytes,
    file_limit=25 * 1024 * 1024,
    # Meta fetches files by address and takes what Instagram can show: PNG, JPEG and GIF; AAC, M4A and WAV; common video; PDF.
    content={
        "text": Support.FULL,
        "image": Support.FULL,
        "audio": Support.PARTIAL,
        "video": Support.PARTIAL,
        "file": Support.PARTIAL,
        # As words and a link.
        "location": Support.PARTIAL,
        "rich": Support.REFUSED,
    },
    capabilities=frozenset({"webhook", "challenge", "fetch_media", "file_urls", "names"}),
    timeout=40.0,
    reply_window=DAY,
    receipts=frozenset({"read"}),
    # Text: 300 with Facebook Login, 100 with Instagram Login; 10 for audio and video.
    rates=Rates(channel=100.0),
    setup=(
        "In the Instagram app, make the account a professional one, and under Messages and story replies, Message controls, "
        "Connected tools, allow access to messages.",
        "At developers.facebook.com, create an app of type Business and add the product Instagram.",
        "With a Facebook Page: link the account to the Page and generate the Page's access token. "
        "Without: API setup with Instagram login, generate the account's access token; it lives 60 days.",
        "Copy the App secret and the App ID; with Instagram login, the Instagram app's.",
        "Configure webhooks: callback URL {webhook_url}, and as Verify token a word that you make up. "
        "Type the same word in here first, for Meta asks at once. An app has one callback URL: connect one account to one app.",
        "Subscribe to messages, messaging_postbacks, messaging_seen, message_reactions and message_edit.",
        "For contacts who have no role in the app, the messaging permission needs Advanced Access (App Review), and the app must be live.",
    ),
    docs="https://developers.facebook.com/docs/instagram-platform",
)


class Instagram(MetaMessaging):
    """One professional account. Its identity is "instagram:" + its id."""

    spec: ClassVar[ProviderSpec] = SPEC
    #: Meta fetches the file before it answers.
    file_timeout: ClassVar[float] = SPEC.timeout

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._account = config["account_id"].strip()
        self._page = config.get("page_id", "").strip()
        use_cases = frozenset({"messenger", "instagram"})
        base = FACEBOOK if self._page else INSTAGRAM
        api = Graph(config, http, token=config["token"], codes=CODES, base_url=base, use_cases=use_cases)
        # Some of Meta's examples name the Page where they should name the account.
        owner = Owner("instagram", frozenset({self._account, self._page} - {""}), config.get("app_id", "").strip())
        super().__init__(config, api, owner, self._page or self._account)

    def _file(self, media: Media) -> Part:
        if media.kind is MediaKind.IMAGE and media.size is not None and media.size > IMAGE_LIMIT:
            raise Unsupported(f"an image of {media.size} bytes is larger than the {IMAGE_LIMIT} that Instagram takes")
        return Part(media.kind.value, {"type": media.kind.value}, media)

    async def _attach(self, part: Part, media: Media) -> dict[str, Any] | SendResult:
        """Name the file's address; Meta fetches it before it answers."""
        if not part.url:
            raise ValueError("a part with a file needs its address")
        return {"type": part.payload["type"], "payload": {"url": part.url}}

    async def name_of(self, contact: str) -> str:
        """The name on the contact's profile, which may be empty, else the user name. Raises PollFailed."""
        profile = await self._profile(contact, "name,username")
        return text(profile.get("name")).strip() or text(profile.get("username")).strip()

    async def check(self) -> CheckResult:
        """Ask whose token it is: of the account, or of the Page that the account is linked to."""
        fields = "id,name,instagram_business_account" if self._page else "user_id,username"
        got = await self._graph.call("GET", "me", query={"fields": fields}, timeout=MESSAGE_TIMEOUT)
        if not isinstance(got, Ok):
            return certainty.as_check(got)
        if self._page and ident(got.answer.get("id")) not in ("", self._page):
            return Invalid(Reason.WRONG_IDENTITY, code="another_page")
        linked = table(got.answer.get("instagram_business_account")).get("id") if self._page else got.answer.get("user_id")
        account = ident(linked)
        if not account:
            return Inconclusive(Reason.NO_ANSWER, code="ok_without_account")
        return Valid(f"instagram:{account}") if account == self._account else Invalid(Reason.WRONG_IDENTITY, code="another_account")
