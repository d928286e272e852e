"""What the simulated Messenger and Instagram share of their API: Meta's Send API and its errors.

Source: Meta's reference of the Send API and of its error codes.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from heliograph.sandbox.direct.meta_contact import MetaContact
from heliograph.sandbox.direct.meta_platform import problem
from heliograph.sandbox.direct.meta_sending import attachment_of, shown_of, text_of
from heliograph.sandbox.direct.service import DAY, Call, Route, served
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault, Mode, code_of
from heliograph.sandbox.wire import SECOND, Json, Request, Response, answer

#: Stands before our id of a delivery in a message's metadata.
PREFIX = "heliograph:"
METADATA_LIMIT = 1000
_ERROR = re.compile(r"(-?\d{1,9})(?:/(\d{1,9}))?")


class MetaMessaging(MetaContact):
    """A Page or an account. An account's `more` has "app_id" and, on Instagram, "page_id"."""

    text_limit: ClassVar[int]
    #: How each words its refusals: subcode and message, subcode.
    no_such_user: ClassVar[tuple[int, str]]
    window_closed: ClassVar[int]
    #: The kinds of file with the largest size of each, bytes.
    file_kinds: ClassVar[Mapping[str, int]]

    @abstractmethod
    def measure(self, words: str) -> int:
        """How long a text is, in the unit of `text_limit`."""

    def window(self, place: Conversation) -> int:
        """See DirectService."""
        return DAY

    # --- errors -------------------------------------------------------------------------------------

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """By the access token in the header, the query or the form; a file by its own address."""
        if "file" in args:
            owner = next((account for account in self.accounts.values() if args["file"] in account.files), None)
            return owner or self.nowhere()
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        given = given or request.query.get("access_token", "") or request.form.get("access_token", "")
        if not given:
            return problem(2500, "An active access token must be used to query information about the current user.").response
        for account in self.accounts.values():
            if account.token == given and not account.revoked:
                # Files are at the address under which the business knows us.
                account.more["origin"] = request.origin
                return account
        return problem(190, "Invalid OAuth access token - Cannot parse access token", number=401).response

    def refuse(self, fault: Fault) -> Response:
        """`error_code` of the fault may name Meta's own, as "1/1357046"."""
        number = code_of(fault)
        if own := _ERROR.fullmatch(fault.error_code):
            number = fault.code or 400
            return problem(int(own[1]), f"(#{own[1]}) {fault.error_message}", int(own[2] or 0), number=number).response
        match fault.mode:
            case Mode.REVOKED:
                return problem(190, "Error validating access token: The session has been invalidated.", 460, number=number).response
            case Mode.NOT_PERMITTED:
                return problem(10, "(#10) Application does not have permission for this action", number=number).response
            case Mode.RATE_LIMITED:
                return problem(613, "(#613) Calls to this api have exceeded the rate limit.", number=number).response
            case _:
                return problem(2, "An unexpected error has occurred. Please retry your request later.", number=number).response

    def nowhere(self) -> Response:
        """As the Graph API answers to what it does not have."""
        return problem(2500, "Unknown path components", number=400).response

    # --- calls --------------------------------------------------------------------------------------

    def ids(self, account: Account) -> frozenset[str]:
        """Under which names a call may speak of the account."""
        return frozenset({"me", account.id, *([str(account.more["page_id"])] if "page_id" in account.more else [])})

    def _mine(self, call: Call) -> None:
        if call.args["owner"] not in self.ids(call.account):
            raise problem(100, f"Unsupported post request. Object with ID '{call.args['owner']}' does not exist", 33)

    def send(self, call: Call) -> Response:
        """POST /{page}/messages: one message, or a sender action."""
        self._mine(call)
        body = _body(call.request)
        recipient = body.get("recipient")
        to = str(recipient.get("id") or "") if isinstance(recipient, dict) else ""
        if not to:
            raise problem(100, "(#100) The parameter recipient is required")
        place = call.account.conversations.get(to)
        if place is None:
            raise problem(100, f"(#100) {self.no_such_user[1]}", self.no_such_user[0])
        action = body.get("sender_action")
        if action is not None:
            place.typing_until = self.hub.now() + 20 * SECOND if action == "typing_on" else 0
            self.hub.changed()
            return answer(200, {"recipient_id": to})
        self._allowed(place, body)
        message = body.get("message")
        if not isinstance(message, dict):
            raise problem(100, "(#100) The parameter message is required")
        post, metadata = self._post(call, message)
        self.take(call, place, post, key=metadata.removeprefix(PREFIX) if metadata.startswith(PREFIX) else "")
        if call.receipt is None:
            self.tell(call.account, "echo", self.echo(call.account, place, post, app=int(call.account.more["app_id"]), metadata=metadata))
        return answer(200, {"recipient_id": to, "message_id": post.id})

    def _allowed(self, place: Conversation, body: Json) -> None:
        """Blocked, or outside of the window: both are refused before anything else is looked at."""
        if place.blocked:
            raise problem(551, "(#551) This person isn't available right now.", 1545041)
        kind, tag = body.get("messaging_type", "RESPONSE"), body.get("tag")
        if kind not in ("RESPONSE", "UPDATE", "MESSAGE_TAG") or (kind == "MESSAGE_TAG" and tag != "HUMAN_AGENT"):
            raise problem(100, "(#100) Param messaging_type or tag is not valid")
        if self.silent(place, 7 * DAY if kind == "MESSAGE_TAG" else self.window(place)):
            raise problem(10, "(#10) This message is sent outside of allowed window.", self.window_closed)

    def _post(self, call: Call, message: Json) -> tuple[Post, str]:
        """The message that is to be taken, and its metadata. Raises Problem."""
        words, given = message.get("text"), message.get("attachment")
        metadata = message.get("metadata") or ""
        if not isinstance(metadata, str) or len(metadata) > METADATA_LIMIT:
            raise problem(100, "(#100) Length of param message[metadata] must be less than or equal to 1000")
        if (words is None) == (given is None):
            raise problem(100, "(#100) Must have exactly one of text or attachment")
        if given is None:
            if not isinstance(words, str) or not words.strip():
                raise problem(100, "(#100) Message cannot be empty, must provide valid attachment or text")
            if self.measure(words) > self.text_limit:
                raise problem(100, f"(#100) Length of param message[text] must be less than or equal to {self.text_limit}")
            return self.new_post("text", mine=False, text=words), metadata
        file = call.request.files[0] if call.request.files else None
        kind, kept, url = attachment_of(given, file, call.account, self.file_kinds, lambda each: self.keep(call.account, each))
        post = self.new_post(kind, mine=False, text=text_of(given), more={"attachment": given}, url=url, shown=shown_of(given))
        post.file = kept
        return post, metadata

    def attach(self, call: Call) -> Response:
        """POST /{page}/message_attachments: keep a file for messages to come."""
        self._mine(call)
        message = _body(call.request).get("message")
        given = message.get("attachment") if isinstance(message, dict) else None
        file = call.request.files[0] if call.request.files else None
        _, kept, url = attachment_of(given, file, call.account, self.file_kinds, lambda each: self.keep(call.account, each))
        id = str(self.hub.ids.number(10**15, 10**16))
        call.account.more.setdefault("attachments", {})[id] = {"file": kept, "url": url}
        return answer(200, {"attachment_id": id})

    def profile(self, call: Call) -> Response:
        """GET /{contact}: the name of somebody who has written."""
        place = call.account.conversations.get(call.args["contact"])
        if place is None or place.blocked:
            raise problem(100, "Unsupported get request. Object does not exist or cannot be loaded due to missing permissions", 33)
        first, _, last = place.name.partition(" ")
        known = {
            "id": place.id,
            "name": place.name,
            "first_name": first,
            "last_name": last,
            "username": place.name.lower(),
            "profile_pic": "",
        }
        return self.fields(call, known)

    def fields(self, call: Call, known: Json) -> Response:
        """Those of `known` that the call asks for; Meta leaves out what it may not tell. Raises Problem."""
        asked = [each for each in call.request.query.get("fields", "id").split(",") if each]
        if bad := next((each for each in asked if each not in known and each not in ("locale", "timezone", "gender")), None):
            raise problem(100, f"(#100) Tried accessing nonexisting field ({bad})")
        return answer(200, {name: known[name] for name in ["id", *asked] if name in known})

    def download(self, call: Call) -> Response:
        """A file of a message, by its own address."""
        return served(call.account.files[call.args["file"]])


def _body(request: Request) -> Json:
    """JSON, or a form whose objects are JSON. Raises Problem."""
    if request.form or request.files:
        return {name: _unpacked(value) for name, value in request.form.items()}
    try:
        body = request.json()
    except (ValueError, RecursionError):
        raise problem(100, "(#100) Invalid JSON in the body") from None
    return body if isinstance(body, dict) else {}


def _unpacked(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


#: `me` is answered by each service itself.
ROUTES = (
    Route("POST", r"(?:/v\d+\.\d+)?/(?P<owner>\w+)/messages", "send_message", "send", MetaMessaging.send),
    Route("POST", r"(?:/v\d+\.\d+)?/(?P<owner>\w+)/message_attachments", "upload", "media", MetaMessaging.attach),
    Route("GET", r"/files/(?P<file>[\w-]+)", "download", "media", MetaMessaging.download),
    Route("GET", r"(?:/v\d+\.\d+)?/(?P<contact>\d+)", "get_profile", "read", MetaMessaging.profile),
)
