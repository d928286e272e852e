"""Sunshine Conversations (API v2): sends, looks up, checks and registers; what comes in is read by `sunshine_inbound`.

Source for paths, codes and limits: the OpenAPI description, 17.12.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from heliograph.domain.content import Content, Media
from heliograph.domain.reasons import Reason
from heliograph.ports.http import Http, HttpFile, HttpResponse, MaybeSent, NotSent
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
    Invalid,
    Part,
    PollFailed,
    ProviderSpec,
    RawRequest,
    Refused,
    SendResult,
    Unknown,
    Valid,
)
from heliograph.providers import certainty, fetching, proofs, rendering, sunshine_inbound, wire
from heliograph.providers.sunshine_outbound import BASE_URL, MESSAGE_TIMEOUT, SPEC, UPLOAD_TIMEOUT, parts, refusal
from heliograph.providers.wire import ident, rows, table, text

#: How far the provider's clock and ours may disagree in a look-up, in microseconds.
CLOCK_SKEW = 300_000_000

#: Pages of 100 messages that are read back: a conversation holds at most 30,000 messages.
MAX_PAGES = 301
PAGE_BYTES = 16_777_216

#: A user that does not exist: asking for it proves a key that may ask for little else.
NO_USER = "0" * 24

TRIGGERS = (
    "client:update",
    "conversation:message",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:message:delivery:user",
    "conversation:postback",
    "conversation:read",
    "conversation:remove",
    "switchboard:acceptControl",
    "switchboard:passControl",
    "switchboard:releaseControl",
    "user:merge",
)


class Sunshine:
    """One app of Sunshine Conversations, reached with one key.

    Our id of a delivery goes out as metadata `heliograph`, which comes back in the list and by
    webhook; that is what makes this class LOOKUP. Events of the webhook that carry a message have
    the id "message:" + message id, as the same message has from the list.
    """

    spec: ClassVar[ProviderSpec] = SPEC

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http
        self._app_id = config["app_id"]
        self._key_id = config["key_id"]
        token = base64.b64encode(f"{self._key_id}:{config['key_secret']}".encode()).decode("ascii")
        self._authorization = {"authorization": f"Basic {token}"}
        self._headers = {**self._authorization, "content-type": "application/json"}
        self._webhook_secrets = proofs.webhook_secrets(config)
        self._base = (config.get("base_url") or BASE_URL).rstrip("/")
        self._app = f"{self._base}/v2/apps/{quote(self._app_id, safe='')}"
        self._integration = config.get("integration_id", "")
        self._switchboard = config.get("switchboard_integration", "")
        self._release_to = config.get("release_to") or "next"
        self._author = {"type": "business"} | ({"displayName": config["display_name"]} if config.get("display_name") else {})
        self._own = frozenset({self._integration, self._switchboard} - {""})

    def __repr__(self) -> str:
        return f"Sunshine(app_id={self._app_id!r})"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split and format one comment. Raises Unsupported."""
        return rendering.rendered(contents, parts)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Post one message. A file is uploaded first; when that fails, the message has certainly not been sent."""
        content = dict(part.payload)
        if part.media is not None:
            uploaded = await self._upload(to, part.media, part.data)
            if not isinstance(uploaded, str):
                return uploaded
            content["mediaUrl"] = uploaded
        body = {"author": self._author, "content": content, "metadata": {sunshine_inbound.KEY: key}}
        got = await self._call("POST", f"{self._conversation(to)}/messages", body)
        if not isinstance(got, HttpResponse):
            return got
        # Always a list. Several only for a shorthand that `render` does not use.
        for message in map(table, rows(table(wire.decode(got.body)).get("messages"))):
            if message_id := ident(message.get("id")):
                return Accepted(message_id)
        return Unknown(Reason.NO_ANSWER, code=f"{got.status}_without_message")

    async def _upload(self, to: Address, media: Media, data: bytes | None) -> str | SendResult:
        if data is None:
            raise ValueError("a part with a file needs its bytes")
        url = f"{self._app}/attachments?access=public&for=message&conversationId={quote(to.conversation, safe='')}"
        file = HttpFile("source", media.name, media.media_type, data)
        try:
            response = await self._http.request("POST", url, headers=self._authorization, files=(file,), timeout=UPLOAD_TIMEOUT)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.definite(certainty.maybe_sent(error))
        failure = refusal(response)
        if failure is not None:
            return certainty.definite(failure)
        url = text(table(table(wire.decode(response.body)).get("attachment")).get("mediaUrl"))
        return url or Deferred(Reason.PROVIDER_DOWN, code="upload_without_address")

    async def _call(self, method: str, url: str, body: Any = None, *, max_bytes: int = 1_048_576) -> HttpResponse | SendResult:
        """One call: the answer if it is a success, else what it means."""
        data = None if body is None else wire.encode(body)
        try:
            response = await self._http.request(method, url, headers=self._headers, body=data, timeout=MESSAGE_TIMEOUT, max_bytes=max_bytes)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return refusal(response) or response

    def _conversation(self, to: Address) -> str:
        return f"{self._app}/conversations/{quote(to.conversation, safe='')}"

    # --- credentials ----------------------------------------------------------------------------

    async def check(self) -> CheckResult:
        """Ask what the kind of key may ask: an app's key for the app, an integration's for its webhooks, any for nobody's conversations."""
        if not self._key_id.startswith("int_"):
            got = await self._call("GET", self._app)
            if isinstance(got, HttpResponse):
                return self._identity(table(table(wire.decode(got.body)).get("app")))
        else:
            got = await self._call("GET", f"{self._app}/integrations/me/webhooks")
            if isinstance(got, HttpResponse):
                return Valid(f"app:{self._app_id}")
        if isinstance(got, Refused) and got.code in ("forbidden", "403", "integration_not_found", "not_found"):
            got = await self._call("GET", f"{self._app}/conversations?filter%5BuserId%5D={NO_USER}")
            if isinstance(got, HttpResponse) or (isinstance(got, Refused) and got.code == "user_not_found"):
                return Valid(f"app:{self._app_id}")
        return certainty.as_check(got)

    def _identity(self, app: Mapping[str, Any]) -> CheckResult:
        app_id = ident(app.get("id"))
        if not app_id:
            return Inconclusive(Reason.NO_ANSWER, code="200_without_app")
        if app_id != self._app_id:
            return Invalid(Reason.WRONG_IDENTITY, code="other_app")
        # The app's id alone: not every kind of key may read more, and another key of the same app is the same identity.
        return Valid(f"app:{app_id}")

    # --- asking back ----------------------------------------------------------------------------

    async def find(self, to: Address, key: str, since: int) -> FindResult:
        """Read the conversation back to before `since` and look for our key."""
        messages = await self._back_to(to, since - CLOCK_SKEW, key)
        if isinstance(messages, Inconclusive):
            return messages
        for message in messages:
            if _carries(message, key):
                return Found(ident(message.get("id")))
        return Absent()

    async def history(self, to: Address, after: int) -> list[Inbound]:
        """All messages newer than `after`, oldest first. Raises PollFailed."""
        messages = await self._back_to(to, after, None)
        if isinstance(messages, Inconclusive):
            raise PollFailed(messages)
        newer = [message for message in messages if not 0 < wire.micros(message.get("received")) <= after]
        newer.sort(key=lambda message: (wire.micros(message.get("received")), ident(message.get("id"))))
        return [sunshine_inbound.message_fact(message, to.conversation) for message in newer]

    async def _back_to(self, to: Address, time: int, key: str | None) -> list[Mapping[str, Any]] | Inconclusive:
        """Messages from the newest back to one older than `time`, or to the one that carries `key`."""
        found: list[Mapping[str, Any]] = []
        url = f"{self._conversation(to)}/messages"
        cursor = ""
        for _ in range(MAX_PAGES):
            got = await self._call("GET", url + (f"?page%5Bbefore%5D={quote(cursor, safe='')}" if cursor else ""), max_bytes=PAGE_BYTES)
            if not isinstance(got, HttpResponse):
                return certainty.unanswered(got)
            page = table(wire.decode(got.body))
            meta = page.get("meta")
            if not isinstance(page.get("messages"), list) or not isinstance(meta, dict):
                return Inconclusive(Reason.NO_ANSWER, code="200_without_messages")
            messages = [table(each) for each in page["messages"]]
            found.extend(messages)
            times = [moment for moment in (wire.micros(each.get("received")) for each in messages) if moment]
            if (key is not None and any(_carries(each, key) for each in messages)) or (times and min(times) < time):
                return found
            if meta.get("hasMore") is False:
                return found
            following = text(meta.get("beforeCursor"))
            if not following or following == cursor:
                return Inconclusive(Reason.NO_ANSWER, code="page_without_cursor")
            cursor = following
        return Inconclusive(Reason.OTHER, code="too_many_pages")

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes of a file. Our key goes along only to the API's own address, where private files are kept. Raises PollFailed."""
        url = media.remote or ""
        headers = self._authorization if fetching.same_origin(url, self._base) else {}
        return await fetching.file(self._http, url, headers=headers, timeout=SPEC.timeout, max_bytes=SPEC.file_limit)

    # --- who owns the conversation ----------------------------------------------------------------

    async def take_control(self, to: Address) -> SendResult:
        """Become the switchboard's active integration; Accepted also where the app has no switchboard."""
        if self._switchboard:
            return await self._control(to, "passControl", {"switchboardIntegration": self._switchboard})
        return await self._control(to, "acceptControl", {})

    async def release_control(self, to: Address) -> SendResult:
        """Hand over to `release_to`; Accepted also where the app has no switchboard."""
        if self._release_to == "none":
            return await self._control(to, "releaseControl", {})
        return await self._control(to, "passControl", {"switchboardIntegration": self._release_to})

    async def _control(self, to: Address, action: str, body: Mapping[str, str]) -> SendResult:
        got = await self._call("POST", f"{self._conversation(to)}/{action}", body)
        if isinstance(got, HttpResponse) or (isinstance(got, Refused) and got.code == "switchboard_not_found"):
            return Accepted("")
        return got

    # --- in ---------------------------------------------------------------------------------------

    async def register_webhook(self, url: str, secret: str) -> CheckResult:
        """Point our integration's webhook at `url`. The secret is the provider's own and comes back in `Valid.secret`."""
        hooks_url = f"{self._app}/integrations/{quote(self._integration or 'me', safe='')}/webhooks"
        listed = await self._call("GET", hooks_url)
        if not isinstance(listed, HttpResponse):
            return certainty.as_check(listed)
        hooks = [table(each) for each in rows(table(wire.decode(listed.body)).get("webhooks"))]
        same = [hook for hook in hooks if hook.get("target") == url]
        body = {"target": url, "triggers": TRIGGERS, "includeFullUser": True}
        got: HttpResponse | SendResult
        if not same:
            got = await self._call("POST", hooks_url, body)
            # A custom integration holds exactly one webhook, so a second is a bad request: then the one is ours to move.
            same = hooks if isinstance(got, Refused) and got.reason is Reason.BAD_REQUEST and len(hooks) == 1 else []
        else:
            got = listed
        if same:
            got = await self._call("PATCH", f"{hooks_url}/{quote(ident(same[0].get('id')), safe='')}", body)
        if not isinstance(got, HttpResponse):
            return certainty.as_check(got)
        made = text(table(table(wire.decode(got.body)).get("webhook")).get("secret"))
        return Valid(f"app:{self._app_id}", secret=made) if made else Inconclusive(Reason.NO_ANSWER, code="webhook_without_secret")

    def verify(self, request: RawRequest) -> None:
        """Compare X-API-Key with each of our secrets, and the app with ours. Raises BadSignature.

        There is no signature over the body and no time in it: replays are seen by event id only.
        """
        if not proofs.proves(request.headers.get("x-api-key", ""), self._webhook_secrets):
            raise BadSignature("X-API-Key")
        app = table(table(wire.decode(request.body)).get("app")).get("id")
        if app is not None and app != self._app_id:
            raise BadSignature("app")

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return sunshine_inbound.parse_body(request.body, self._own)


def _carries(message: Mapping[str, Any], key: str) -> bool:
    """Whether it is our message with this key. A customer's client can set metadata too, so the author counts."""
    return (
        table(message.get("author")).get("type") == "business"
        and table(message.get("metadata")).get(sunshine_inbound.KEY) == key
        and bool(ident(message.get("id")))
    )
