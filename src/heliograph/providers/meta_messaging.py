"""What Messenger and Instagram share on their way out: Meta's Send API, its errors, and the proofs of its webhooks.

Source: Meta's reference of the Send API, of its error codes (March 2026), and of message tags.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from heliograph.domain.content import Content, Location, Media, Rich, Text
from heliograph.domain.reasons import Reason
from heliograph.domain.split import split_text
from heliograph.ports.provider import (
    Accepted,
    Address,
    Field,
    Inbound,
    Part,
    PollFailed,
    ProviderSpec,
    RawRequest,
    Refused,
    SendResult,
    Unknown,
    Unsupported,
)
from heliograph.providers import certainty, graph, places, proofs, rendering
from heliograph.providers.graph import Graph, Ok
from heliograph.providers.meta_messaging_inbound import KEY, Owner, parse_body
from heliograph.providers.wire import ident

#: Seconds. A message with a file may be two calls, and both must end within `spec.timeout`.
MESSAGE_TIMEOUT = 10.0
UPLOAD_TIMEOUT = 30.0

DAY = 86_400.0
#: How long a person of the business may answer, where Meta has approved the app's feature "Human Agent".
HUMAN_AGENT_WINDOW = 7 * DAY

APP_FIELD = Field(
    "app_id",
    "App ID",
    required=False,
    hint="App dashboard, at the top. By it our own messages are told from answers that were written elsewhere.",
)
HUMAN_AGENT_FIELD = Field(
    "human_agent",
    "Human Agent",
    required=False,
    default="no",
    hint="yes: answers carry the tag HUMAN_AGENT and may go for 7 days instead of 24 hours. Needs Meta's approval of that feature.",
)

#: Errors of the Send API by (code, subcode); 0 stands for all other subcodes. From Meta's page of error codes, but for
#: those marked [M], which are hearsay. Meta puts restrictions of the recipient, of the account and of the app under the
#: same codes, so the subcode decides. NO_ANSWER marks what may have been delivered.
CODES: graph.Codes = {
    **{(code, 0): Reason.NOT_PERMITTED for code in range(200, 300)},
    (-1, 0): Reason.NO_ANSWER,  # [M] unexpected internal error
    (1, 0): Reason.NO_ANSWER,
    # "Received invalid JSON reply": Meta's own example is of messages that were all delivered.
    (1, 1357046): Reason.NO_ANSWER,
    # Temporary, or the contact has blocked the business: Meta answers alike, and does not say that nothing was sent.
    (2, 0): Reason.NO_ANSWER,
    (3, 0): Reason.NOT_PERMITTED,
    (4, 0): Reason.RATE_LIMITED,
    (17, 0): Reason.RATE_LIMITED,
    (32, 0): Reason.RATE_LIMITED,
    (341, 0): Reason.RATE_LIMITED,  # [M]
    (613, 0): Reason.RATE_LIMITED,
    (80006, 0): Reason.RATE_LIMITED,  # [M] too many calls of this Messenger account
    (10, 0): Reason.NOT_PERMITTED,
    (10, 1893063): Reason.NOT_PERMITTED,
    (10, 2018065): Reason.WINDOW_CLOSED,
    (10, 2018108): Reason.BLOCKED,
    (10, 2018278): Reason.WINDOW_CLOSED,
    (10, 2018310): Reason.WINDOW_CLOSED,  # [M]
    (10, 2534022): Reason.WINDOW_CLOSED,
    (100, 0): Reason.BAD_REQUEST,
    (100, 2018001): Reason.BAD_RECIPIENT,
    (100, 2018008): Reason.OTHER,  # [M] the address of a file could not be read, which may be for a moment
    (100, 2018047): Reason.UNSUPPORTED,
    (100, 2018109): Reason.TOO_LARGE,
    (100, 2534014): Reason.BAD_RECIPIENT,
    (100, 2534029): Reason.NOT_PERMITTED,
    (102, 0): Reason.BAD_CREDENTIALS,
    (190, 0): Reason.BAD_CREDENTIALS,
    (200, 1545041): Reason.BLOCKED,
    (200, 2534041): Reason.NOT_PERMITTED,
    (368, 0): Reason.NOT_PERMITTED,
    (551, 0): Reason.BLOCKED,
    (1200, 0): Reason.PROVIDER_DOWN,  # "Temporary send message failure. Please try again later."
}


class MetaMessaging(ABC):
    """One Page on Messenger, or one account on Instagram, reached with its token.

    A conversation's id is the contact's as the Page or account knows it; a message's is Meta's `mid`, under which the
    echo and the receipts come back. Events that carry a message have the id "mid:" + `mid`.
    """

    spec: ClassVar[ProviderSpec]
    #: Seconds that the call for a message with a file may take.
    file_timeout: ClassVar[float] = MESSAGE_TIMEOUT

    def __init__(self, config: Mapping[str, str], api: Graph, owner: Owner, sender: str) -> None:
        """`sender` is the name of the Page or account in addresses of calls."""
        self._graph = api
        self._owner = owner
        self._sender = sender
        self._secrets = proofs.webhook_secrets(config)
        self._verify_token = config.get("verify_token", "").strip()
        self._frame: dict[str, str] = {"messaging_type": "RESPONSE"}
        if config.get("human_agent", "").strip().lower() in ("yes", "true", "1"):
            self._frame = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
            # What is true of this channel, not of all.
            self.__dict__["spec"] = replace(self.spec, reply_window=HUMAN_AGENT_WINDOW)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    # --- out ------------------------------------------------------------------------------------

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Split one comment into messages; a file has no caption here, so its words go after it. Raises Unsupported."""
        return rendering.rendered(contents, self._parts)

    def _parts(self, content: Content) -> list[Part]:
        match content:
            case Text(body):
                return self._texts(body)
            case Media():
                rendering.fits(content, self.spec.file_limit)
                return [self._file(content), *self._texts(content.caption)]
            case Location():
                return self._texts(places.in_words(content))
            case Rich():
                raise Unsupported(f"structured content has no counterpart on {self.spec.title}")

    def _texts(self, body: str) -> list[Part]:
        pieces = split_text(body, self.spec.text_limit, measure=self.spec.measure)
        return [Part("text", {"text": piece}) for piece in pieces]

    @abstractmethod
    def _file(self, media: Media) -> Part:
        """The message that carries a file, without its caption. Raises Unsupported."""

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Send one message; `key` goes with it as metadata, which its echo repeats."""
        message = dict(part.payload)
        if part.media is not None:
            attached = await self._attach(part, part.media)
            if not isinstance(attached, dict):
                return certainty.definite(attached)
            message = {"attachment": attached}
        body = {"recipient": {"id": to.conversation}, **self._frame, "message": {**message, "metadata": f"{KEY}{key}"}}
        timeout = MESSAGE_TIMEOUT if part.media is None else self.file_timeout
        got = await self._graph.call("POST", self._sender, "messages", body=body, timeout=timeout)
        if not isinstance(got, Ok):
            return _window(got)
        mid = ident(got.answer.get("message_id"))
        return Accepted(mid, got.rest) if mid else Unknown(Reason.NO_ANSWER, code="ok_without_message")

    @abstractmethod
    async def _attach(self, part: Part, media: Media) -> dict[str, Any] | SendResult:
        """The attachment of a message that carries a file, or why there is none: nothing was sent then."""

    # --- in -------------------------------------------------------------------------------------

    def challenge(self, request: RawRequest) -> bytes | None:
        """Answer Meta's question whether the address is ours. Raises BadSignature where it knows not our verify token."""
        return graph.challenge(request, self._verify_token)

    def verify(self, request: RawRequest) -> None:
        """Compare the signature by each app secret. Raises BadSignature."""
        graph.verify(request, self._secrets)

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Translate a webhook call; never raises."""
        return parse_body(request.body, self._owner)

    async def fetch_media(self, media: Media) -> bytes:
        """The bytes behind the address of an attachment, which everybody may read who knows it, for a while. Raises PollFailed."""
        return await self._graph.download(
            media.remote or "", authorized=False, timeout=self.spec.timeout, max_bytes=self.spec.file_limit
        )  # fmt: skip

    async def _profile(self, contact: str, fields: str) -> Mapping[str, Any]:
        """What Meta tells about a contact who has written: the User Profile API, the same for both. Raises PollFailed."""
        got = await self._graph.call("GET", contact, query={"fields": fields}, timeout=MESSAGE_TIMEOUT)
        if not isinstance(got, Ok):
            raise PollFailed(certainty.as_check(got))
        return got.answer


def _window(result: SendResult) -> SendResult:
    """A closed window comes without a subcode as well; then only Meta's words tell it from a permission that is missing."""
    if isinstance(result, Refused) and result.code == "10" and "allowed window" in result.detail.lower():
        return replace(result, reason=Reason.WINDOW_CLOSED)
    return result
