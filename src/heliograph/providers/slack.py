"""Slack's Web API: posts, looks up, checks and shares files; what comes in is read by `slack_inbound`.

Source for methods, fields and errors: Slack's reference of methods, by way of the mirror slack-ruby/slack-api-ref.
An answer of 200 says nothing: what happened is in its `ok` and `error`.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from heliograph.domain.content import Content, Media
from heliograph.domain.reasons import Reason
from heliograph.ports import links
from heliograph.ports.http import Http, MaybeSent, NotSent
from heliograph.ports.provider import (
    Absent,
    Accepted,
    Address,
    BadSignature,
    CheckResult,
    Deferred,
    FindResult,
    Found,
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
from heliograph.providers import certainty, fetching, proofs, rendering, slack_inbound, wire
from heliograph.providers.slack_codes import meaning
from heliograph.providers.slack_inbound import BLOCK, EVENT_TYPE, KEY, Ours, key_of, message_id, micros
from heliograph.providers.slack_outbound import BASE_URL, SPEC, parts
from heliograph.providers.wire import table, text

#: Seconds.
MESSAGE_TIMEOUT = 15.0
UPLOAD_TIMEOUT = 55.0

#: How old a signed call may be, in microseconds, either way.
FRESH = 300_000_000

#: How far Slack's clock and ours may disagree in a look-up, in microseconds.
CLOCK_SKEW = 120_000_000

PAGE = 200
MAX_PAGES = 50
PAGE_BYTES = 16_777_216
DOWNLOAD_LIMIT = 100 * 1024 * 1024

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json; charset=utf-8"}


class Slack:
    """One app in one workspace, reached with its bot's token.

    A conversation's id is the channel's, or "channel:thread". A message's id is "channel:ts", a shared file's "channel:file id".
    Our id of a delivery goes out as metadata, with a file as the id of a block, and is read back from the channel's list; that makes
    this class LOOKUP.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._authorization = {"authorization": f"Bearer {config['bot_token'].strip()}"}
        self._base = (config.get("base_url") or BASE_URL).rstrip("/")
        self._webhook_secrets = proofs.webhook_secrets(config)

    def __repr__(self) -> str:
        return "Slack()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages. Raises Unsupported."""
        return rendering.rendered(contents, parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Post one message, or share one file; a contact notices nothing before the last call of either."""
        channel, _, thread = to.conversation.partition(":")
        if part.media is not None:
            return await self._share(channel, thread, part, key)
        body = {
            "channel": channel,
            "text": part.payload["text"],
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {KEY: key}},
        }
        if thread:
            body["thread_ts"] = thread
        got = await self._call("chat.postMessage", json=body)
        if not isinstance(got, dict):
            return got
        ts = text(got.get("ts"))
        return Accepted(f"{text(got.get('channel')) or channel}:{ts}") if ts else Unknown(Reason.NO_ANSWER, code="ok_without_ts")

    async def _share(self, channel: str, thread: str, part: Part, key: str) -> SendResult:
        if part.data is None:
            raise ValueError("a part with a file needs its bytes")
        name = text(part.payload["filename"])
        place = await self._call("files.getUploadURLExternal", form={"filename": name, "length": str(len(part.data))})
        if not isinstance(place, dict):
            return certainty.definite(place)
        url, file = text(place.get("upload_url")), text(place.get("file_id"))
        if not url or not file:
            return Deferred(Reason.PROVIDER_DOWN, code="upload_without_address")
        if (failed := await self._upload(url, part.data)) is not None:
            return failed
        # There is no metadata here; a block has an id, which comes back in lists and events. Its text is shown as it is.
        shown = {"type": "plain_text", "text": text(part.payload.get("caption")) or name, "emoji": False}
        block = {"type": "section", "block_id": f"{BLOCK}{key}", "text": shown}
        form = {
            "files": wire.encode([{"id": file, "title": name}]).decode(),
            "channel_id": channel,
            "blocks": wire.encode([block]).decode(),
        }
        got = await self._call("files.completeUploadExternal", form=form | ({"thread_ts": thread} if thread else {}))
        return Accepted(f"{channel}:{file}") if isinstance(got, dict) else got

    async def _upload(self, url: str, data: bytes) -> SendResult | None:
        """Store the bytes where only we can see them; None is success."""
        try:
            headers = {"content-type": "application/octet-stream"}
            response = await self._http.request("POST", url, headers=headers, body=data, timeout=UPLOAD_TIMEOUT)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.definite(certainty.maybe_sent(error))
        if response.status == 200:
            return None
        if response.status == 413:
            return Refused(Reason.TOO_LARGE, code="upload_413")
        after = certainty.retry_after(response.headers)
        return Deferred(Reason.RATE_LIMITED if response.status == 429 else Reason.PROVIDER_DOWN, after, f"upload_{response.status}")

    async def _call(
        self,
        method: str,
        *,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        max_bytes: int = 1_048_576,
    ) -> dict[str, Any] | SendResult:
        """One call of a method: its answer if it is a success, else what its error means."""
        url = f"{self._base}/{method}"
        headers = self._authorization | (FORM if json is None else JSON)
        body = wire.encode(json) if json is not None else urlencode(form or {}, errors="replace").encode("ascii")
        try:
            response = await self._http.request("POST", url, headers=headers, body=body, timeout=MESSAGE_TIMEOUT, max_bytes=max_bytes)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return meaning(response)

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask who we are: the workspace and the bot, which no new token changes."""
        got = await self._call("auth.test")
        if not isinstance(got, dict):
            return certainty.as_check(got)
        team, bot = text(got.get("team_id")), text(got.get("bot_id")) or text(got.get("user_id"))
        return Valid(f"{team}:{bot}") if team and bot else Inconclusive(Reason.NO_ANSWER, code="ok_without_bot")

    # --- asking back ----------------------------------------------------------------------------

    async def find(self, to: Address, key: str, since: int) -> FindResult:
        """Read the channel or thread from `since` on and look for our key.

        A message of ours in that time that carries none may be the one that is sought: whether a token without metadata.message:read
        is shown any metadata, and whether a shared file keeps its block's id, is documented nowhere. Then nothing is proved.
        """
        channel = to.conversation.partition(":")[0]
        messages = await self._from(to, since - CLOCK_SKEW, key)
        if isinstance(messages, Inconclusive):
            return messages
        for message in messages:
            if key_of(message) == key and micros(message.get("ts")):
                return Found(message_id(channel, message))
        # A list of replies begins with what they reply to, however old.
        unmarked = [
            each for each in messages if text(each.get("bot_id")) and not key_of(each) and micros(each.get("ts")) >= since - CLOCK_SKEW
        ]
        if not unmarked:
            return Absent()
        me = await self._call("auth.test")
        if not isinstance(me, dict):
            return certainty.unanswered(me)
        ours = Ours(user=text(me.get("user_id")), bot=text(me.get("bot_id")))
        return Inconclusive(Reason.NO_ANSWER, code="message_without_key") if any(map(ours.wrote, unmarked)) else Absent()

    async def history(self, to: Address, after: int) -> list[Inbound]:
        """What was written after `after`, oldest first. Raises PollFailed."""
        channel = to.conversation.partition(":")[0]
        me = await self._call("auth.test")
        if not isinstance(me, dict):
            raise PollFailed(certainty.as_check(me))
        ours = Ours(user=text(me.get("user_id")), bot=text(me.get("bot_id")))
        messages = await self._from(to, after, None)
        if isinstance(messages, Inconclusive):
            raise PollFailed(messages)
        written = [
            each for each in messages if micros(each.get("ts")) > after and wire.name(each.get("subtype"), "") in slack_inbound.WRITTEN
        ]
        written.sort(key=lambda each: micros(each.get("ts")))
        return [slack_inbound.message_fact(each, channel, ours, "") for each in written]

    async def _from(self, to: Address, time: int, key: str | None) -> list[Mapping[str, Any]] | Inconclusive:
        """All messages from `time` on, or as many as it takes to meet the one that carries `key`."""
        channel, _, thread = to.conversation.partition(":")
        method = "conversations.replies" if thread else "conversations.history"
        oldest = f"{max(0, time) // 1_000_000}.{max(0, time) % 1_000_000:06d}"
        form = {"channel": channel, "oldest": oldest, "inclusive": "1", "include_all_metadata": "1", "limit": str(PAGE)}
        form |= {"ts": thread} if thread else {}
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            got = await self._call(method, form=form, max_bytes=PAGE_BYTES)
            if not isinstance(got, dict):
                return certainty.unanswered(got)
            if not isinstance(got.get("messages"), list) or got.get("is_limited") is True:
                return Inconclusive(Reason.NO_ANSWER, code="ok_without_messages")
            messages = [table(each) for each in got["messages"]]
            found.extend(messages)
            if key is not None and any(key_of(each) == key for each in messages):
                return found
            cursor = text(table(got.get("response_metadata")).get("next_cursor"))
            if not cursor:
                return Inconclusive(Reason.NO_ANSWER, code="page_without_cursor") if got.get("has_more") is True else found
            form["cursor"] = cursor
        return Inconclusive(Reason.OTHER, code="too_many_pages")

    async def name_of(self, contact: str) -> str:
        """A person's real name, else the one that is shown; a bot has none here. Wants the scope users:read. Raises PollFailed."""
        if contact[:1] not in ("U", "W"):
            return ""
        got = await self._call("users.info", form={"user": contact})
        if not isinstance(got, dict):
            raise PollFailed(certainty.as_check(got))
        if not isinstance(got.get("user"), dict):
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_user"))
        user, profile = table(got["user"]), table(got["user"].get("profile"))
        known = (user.get("real_name"), profile.get("real_name"), profile.get("display_name"), user.get("name"))
        return next(filter(None, (text(each).strip() for each in known)), "")

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes of a file. Our token goes to Slack's own hosts only. Raises PollFailed."""
        url = media.remote or ""
        headers = self._authorization if self._own(url) else {}
        response = await fetching.answer(self._http, url, headers=headers, timeout=SPEC.timeout, max_bytes=DOWNLOAD_LIMIT)
        file = fetching.whole(response)
        if response.headers.get("content-type", "").startswith("text/html") and media.media_type != "text/html":
            # A token without files:read gets the page for signing in, with 200.
            raise PollFailed(Inconclusive(Reason.NOT_PERMITTED, code="sign_in_page"))
        return file

    def _own(self, url: str) -> bool:
        try:
            at = links.split(url)
            slacks = at.scheme == "https" and f".{at.hostname or ''}".endswith(".slack.com")
        except ValueError:
            return False
        return slacks or fetching.same_origin(url, self._base)

    # --- in ---------------------------------------------------------------------------------------

    def challenge(self, request: RawRequest) -> bytes | None:
        """The question that Slack asks a new Request URL; it is signed as any call is. Raises BadSignature."""
        call = table(wire.decode(request.body)) if request.method == "POST" else {}
        if call.get("type") != "url_verification":
            return None
        self.verify(request)
        return text(call.get("challenge")).encode()

    def verify(self, request: RawRequest) -> None:
        """Compare X-Slack-Signature with what each of our secrets makes of the body and its time. Raises BadSignature."""
        stamp = request.headers.get("x-slack-request-timestamp", "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise BadSignature("X-Slack-Request-Timestamp")
        signed = b"v0:" + stamp.encode() + b":" + request.body
        wanted = [b"v0=" + hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._webhook_secrets]
        if not proofs.proves(request.headers.get("x-slack-signature", ""), wanted):
            raise BadSignature("X-Slack-Signature")
        if abs(request.at - int(stamp) * 1_000_000) > FRESH:
            raise BadSignature("X-Slack-Request-Timestamp")

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return slack_inbound.parse_body(request.body)
