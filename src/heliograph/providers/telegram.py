"""Telegram bots (Bot API): sends, checks, polls, registers; what comes in is read by `telegram_inbound`.

Source for methods, limits and errors: the Bot API's documentation, and the error classes of python-telegram-bot.
Telegram offers no key, no list and no receipt: an ambiguous send stays ambiguous.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from heliograph.domain.content import Content, Location, Media, MediaKind, Rich, Text
from heliograph.domain.outcomes import DedupeClass
from heliograph.domain.reasons import Reason
from heliograph.domain.split import split_text, utf16_units
from heliograph.ports.http import Http, HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import (
    TEXT_AND_FILES,
    Accepted,
    Address,
    Advance,
    BadSignature,
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
    Unknown,
    Unsupported,
    Valid,
)
from heliograph.providers import certainty, fetching, places, proofs, rendering, telegram_inbound, wire
from heliograph.providers.wire import ident, table, text

#: Seconds. A long poll must end well before the call's own deadline.
MESSAGE_TIMEOUT = 10.0
POLL_SECONDS = 20

CAPTION_LIMIT = 1024
PHOTO_LIMIT = 10 * 1024 * 1024
DOWNLOAD_LIMIT = 20 * 1024 * 1024
POLL_BYTES = 16_777_216

#: Media types that a method shows as more than a file; the rest go as documents, which Telegram takes as they are.
SHOWN: dict[MediaKind, tuple[str, str, frozenset[str]]] = {
    MediaKind.IMAGE: ("sendPhoto", "photo", frozenset({"image/jpeg", "image/png", "image/webp"})),
    MediaKind.VIDEO: ("sendVideo", "video", frozenset({"video/mp4"})),
    MediaKind.AUDIO: ("sendAudio", "audio", frozenset({"audio/mpeg", "audio/mp4", "audio/x-m4a"})),
}

#: Telegram's errors carry prose, not codes: (number, words in the description, lower case) in order of search.
#: Each leaves the message certainly not taken. A right that is missing in one group says nothing about the channel.
CODES: tuple[tuple[int, str, Reason], ...] = (
    (400, "chat not found", Reason.BAD_RECIPIENT),
    (400, "user not found", Reason.BAD_RECIPIENT),
    (400, "peer_id_invalid", Reason.BAD_RECIPIENT),
    (400, "chat_id is empty", Reason.BAD_RECIPIENT),
    (400, "message is too long", Reason.TOO_LARGE),
    (400, "caption is too long", Reason.TOO_LARGE),
    (400, "file is too big", Reason.TOO_LARGE),
    (400, "message text is empty", Reason.BAD_REQUEST),
    (400, "can't parse", Reason.BAD_REQUEST),
    (400, "photo_invalid_dimensions", Reason.UNSUPPORTED),
    (400, "image_process_failed", Reason.UNSUPPORTED),
    (400, "wrong file", Reason.UNSUPPORTED),
    (400, "not enough rights", Reason.CONVERSATION_CLOSED),
    (400, "have no rights", Reason.CONVERSATION_CLOSED),
    (400, "chat_write_forbidden", Reason.CONVERSATION_CLOSED),
    (400, "topic_closed", Reason.CONVERSATION_CLOSED),
    (400, "message thread not found", Reason.CONVERSATION_CLOSED),
    (400, "chat was deactivated", Reason.CONVERSATION_CLOSED),
    (401, "", Reason.BAD_CREDENTIALS),
    (403, "bot was kicked", Reason.CONVERSATION_CLOSED),
    (403, "not a member", Reason.CONVERSATION_CLOSED),
    (403, "not enough rights", Reason.CONVERSATION_CLOSED),
    (403, "chat was deleted", Reason.CONVERSATION_CLOSED),
    (403, "", Reason.BLOCKED),
    (404, "method not found", Reason.BAD_REQUEST),
    # A token that is no token at all is answered as an unknown path.
    (404, "", Reason.BAD_CREDENTIALS),
    # Webhook and polling at once, or two that poll: only for getUpdates.
    (409, "", Reason.NOT_PERMITTED),
    (413, "", Reason.TOO_LARGE),
)

BASE_URL = "https://api.telegram.org"

SPEC = ProviderSpec(
    name="telegram",
    title="Telegram",
    fields=(
        Field("token", "Bot token", secret=True, hint="From BotFather: digits, a colon, and letters."),
        Field("webhook_secret", "Webhook secret", secret=True, required=False, hint="While it is changed: both, separated by a space."),
        Field("base_url", "Address of the API", required=False, default=BASE_URL),
    ),
    dedupe=DedupeClass.NONE,
    advance=Advance.ON_ACCEPTANCE,
    # "4096 characters" in the documentation. Reports differ on whether an emoji counts one or two; in UTF-16 units
    # every message fits either way.
    text_limit=4096,
    measure=utf16_units,
    file_limit=50 * 1024 * 1024,
    content={**TEXT_AND_FILES, "location": Support.FULL, "rich": Support.REFUSED},
    capabilities=frozenset({"poll", "fetch_media", "webhook", "register_webhook"}),
    timeout=30.0,
    # About one a second in a chat, with short bursts, and thirty over all; 20 a minute in a group (the Bot API's FAQ).
    rates=Rates(channel=30.0, conversation=1.0, burst=5),
    setup=(
        "In Telegram, write /newbot to @BotFather and follow its questions; it answers with a token.",
        "Paste the token. The bot is polled, so it needs no public address, and nothing else is to be done.",
        "Where the bot had a webhook before, remove it (deleteWebhook of the Bot API): Telegram lets nobody poll while there is one.",
    ),
    docs="https://core.telegram.org/bots/api",
)


class Telegram:
    """One bot, reached with its token. The token is part of every address, so no address may be shown.

    A conversation's id is the chat's, or "chat:topic" in a group with topics. A message's id is
    "chat:number", because numbers are unique within a chat only. Events are "update:" + update id.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        base = (config.get("base_url") or BASE_URL).rstrip("/")
        token = quote(config["token"].strip(), safe=":")
        self._api = f"{base}/bot{token}"
        self._files = f"{base}/file/bot{token}"
        self._webhook_secrets = proofs.webhook_secrets(config)

    def __repr__(self) -> str:
        return "Telegram()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages, without any markup: a stray asterisk must not cost a reply. Raises Unsupported."""
        return rendering.rendered(contents, _parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Send one message. Telegram has no place for `key`."""
        chat, _, topic = to.conversation.partition(":")
        fields = {"chat_id": chat} | ({"message_thread_id": topic} if topic else {}) | dict(part.payload)
        method = fields.pop("method")
        if part.media is None:
            got = await self._call(method, fields)
        else:
            if part.data is None:
                raise ValueError("a part with a file needs its bytes")
            file = HttpFile(fields.pop("field"), part.media.name, part.media.media_type, part.data)
            got = await self._call(method, fields, file=file, timeout=SPEC.timeout)
        if not isinstance(got, Ok):
            return got
        message = table(got.result)
        message_id, chat_id = ident(message.get("message_id")), ident(table(message.get("chat")).get("id")) or chat
        return Accepted(f"{chat_id}:{message_id}") if message_id else Unknown(Reason.NO_ANSWER, code="ok_without_message")

    async def _call(
        self,
        method: str,
        fields: Mapping[str, Any],
        *,
        file: HttpFile | None = None,
        timeout: float = MESSAGE_TIMEOUT,
        max_bytes: int = 1_048_576,
    ) -> "Ok | SendResult":
        """One call of a method: its result, or what its error means."""
        url = f"{self._api}/{method}"
        try:
            if file is not None:
                response = await self._http.request("POST", url, headers={}, form=fields, files=(file,), timeout=timeout)
            else:
                body = wire.encode(fields)
                response = await self._http.request("POST", url, headers=JSON, body=body, timeout=timeout, max_bytes=max_bytes)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return _answer(response)

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask who the bot is. The identity is its number, which no change of name or token alters."""
        got = await self._call("getMe", {})
        if not isinstance(got, Ok):
            return certainty.as_check(got)
        bot = ident(table(got.result).get("id"))
        return Valid(f"bot:{bot}") if bot else Inconclusive(Reason.NO_ANSWER, code="ok_without_bot")

    # --- in ---------------------------------------------------------------------------------------

    async def poll(self, cursor: str) -> tuple[list[Inbound], str]:
        """Wait for updates from `cursor` on, the number of the next one; asking confirms all before it. Raises PollFailed.

        Refused (409) while a webhook is set: `register_webhook("", "")` removes it.
        """
        fields: dict[str, Any] = {"timeout": POLL_SECONDS, "allowed_updates": telegram_inbound.ALLOWED_UPDATES}
        if cursor.isdecimal():
            fields["offset"] = int(cursor)
        got = await self._call("getUpdates", fields, timeout=SPEC.timeout, max_bytes=POLL_BYTES)
        if not isinstance(got, Ok):
            raise _poll_failed(got)
        if not isinstance(got.result, list):
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_updates"))
        updates = [table(each) for each in got.result]
        numbers = [each["update_id"] for each in updates if type(each.get("update_id")) is int]
        facts = [telegram_inbound.update_fact(each, "update:") for each in updates]
        return facts, str(max(numbers) + 1) if numbers else cursor

    def verify(self, request: RawRequest) -> None:
        """Compare the secret header with each of our secrets. Raises BadSignature."""
        if not proofs.proves(request.headers.get("x-telegram-bot-api-secret-token", ""), self._webhook_secrets):
            raise BadSignature("X-Telegram-Bot-Api-Secret-Token")

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return telegram_inbound.parse_body(request.body)

    async def register_webhook(self, url: str, secret: str) -> CheckResult:
        """Have updates sent to `url` with `secret` (1 to 256 of A-Z a-z 0-9 _ -). An empty `url` ends that and allows polling."""
        fields: dict[str, Any] = {"url": url, "allowed_updates": telegram_inbound.ALLOWED_UPDATES}
        if secret:
            fields["secret_token"] = secret
        got = await self._call("setWebhook", fields)
        return await self.check() if isinstance(got, Ok) else certainty.as_check(got)

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind a file id; bots may fetch up to 20 MB. Raises PollFailed."""
        got = await self._call("getFile", {"file_id": media.remote or ""})
        if not isinstance(got, Ok):
            raise _poll_failed(got)
        path = text(table(got.result).get("file_path"))
        if not path:
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_path"))
        url = f"{self._files}/{quote(path)}"
        return await fetching.file(self._http, url, headers={}, timeout=SPEC.timeout, max_bytes=DOWNLOAD_LIMIT)


JSON = {"content-type": "application/json"}


class Ok:
    """A success and its result."""

    __slots__ = ("result",)

    def __init__(self, result: Any) -> None:
        self.result = result


def _answer(response: HttpResponse) -> Ok | SendResult:
    """What an answer means. 5xx is ambiguous, and so is what does not read as an answer of Telegram's."""
    answer = wire.decode(response.body)
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        answer = {}
    if answer.get("ok") is True and 200 <= response.status < 300:
        return Ok(answer.get("result"))
    given = answer.get("error_code")
    number = given if type(given) is int else response.status
    description, parameters = text(answer.get("description")), table(answer.get("parameters"))
    code = str(number)
    if moved := ident(parameters.get("migrate_to_chat_id")):
        return Deferred(Reason.MOVED, 0.0, code, description, readdress=moved)
    if number == 429:
        after = wire.number(parameters.get("retry_after"))
        after = certainty.retry_after(response.headers) if after is None else min(max(after, 0.0), certainty.LONGEST_WAIT)
        return Deferred(Reason.RATE_LIMITED, after, code, description)
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, description)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, description)
    words = description.lower()
    for number_of_row, phrase, reason in CODES:
        if number == number_of_row and phrase in words:
            return Refused(reason, code, description)
    return Refused(Reason.OTHER, code, description)


def _poll_failed(result: SendResult) -> PollFailed:
    """A conflict between two that listen is no fault of the credentials. Which one it is, only Telegram's prose tells."""
    if isinstance(result, Refused) and result.code == "409":
        words = result.detail.lower()
        code = "webhook_set" if "webhook" in words else "polled_elsewhere" if "getupdates" in words else result.code
        return PollFailed(Inconclusive(result.reason, code=code, detail=result.detail))
    return PollFailed(certainty.as_check(result))


def _parts(content: Content) -> Iterator[Part]:
    match content:
        case Text(body):
            for piece in split_text(body, SPEC.text_limit, measure=utf16_units):
                yield Part("text", {"method": "sendMessage", "text": piece})
        case Media():
            yield from _media(content)
        case Location():
            yield Part("location", _location(content))
        case Rich():
            raise Unsupported("structured content has no counterpart on Telegram")


def _media(media: Media) -> Iterator[Part]:
    rendering.fits(media, SPEC.file_limit)
    method, field, types = SHOWN.get(media.kind, ("", "", frozenset()))
    too_large = media.kind is MediaKind.IMAGE and (media.size is None or media.size > PHOTO_LIMIT)
    if media.media_type not in types or too_large:
        method, field = "sendDocument", "document"
    payload = {"method": method, "field": field}
    caption = split_text(media.caption, SPEC.text_limit, measure=utf16_units)
    if len(caption) == 1 and utf16_units(caption[0]) <= CAPTION_LIMIT:
        payload["caption"] = caption.pop()
    yield Part(media.kind.value, payload, media)
    for piece in caption:
        yield Part("text", {"method": "sendMessage", "text": piece})


def _location(place: Location) -> dict[str, Any]:
    latitude, longitude = places.coordinates(place)
    payload: dict[str, Any] = {"method": "sendLocation", "latitude": latitude, "longitude": longitude}
    if place.name or place.address:
        payload |= {"method": "sendVenue", "title": place.name or place.address, "address": place.address or place.name}
    return payload
