"""A self-built channel of our own: takes signed replies, each id once, and posts signed events, as docs/webhook-channel.md says.

It knows nothing of the provider's code: the page is what both are made after.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from heliograph.sandbox.direct.service import Call, DirectService, Problem, Route, served
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault, code_of
from heliograph.sandbox.ids import iso
from heliograph.sandbox.outbox import RetryPolicy
from heliograph.sandbox.service import Act
from heliograph.sandbox.wire import SECOND, Json, Request, Response, answer

TOLERANCE = 300
REMEMBERED = 72 * 3600 * SECOND
TEXT_LIMIT = 10_000
REASONS = {401: "bad_credentials", 403: "not_permitted", 429: "rate_limited"}
#: Reasons that a receipt may name; a fault's error code that is none of them is told as a code.
FAILURES = ("bad_recipient", "blocked", "conversation_closed", "window_closed", "too_large", "unsupported", "not_permitted", "rate_limited")
FILES = ("image", "audio", "video", "file")


class Webhook(DirectService):
    """Services at one address, told apart by what signs the call."""

    name: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook"
    retries: ClassVar[RetryPolicy] = RetryPolicy(tuple(min(3600.0, 2.0**n) for n in range(36)), frozenset(), 20.0)
    batch: ClassVar[int] = 20

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """By the signature."""
        at = request.headers.get("webhook-timestamp", "")
        if at.isdecimal() and abs(self.hub.now() // SECOND - int(at)) <= TOLERANCE:
            given = [each.encode() for each in request.headers.get("webhook-signature", "").split()]
            for account in self.accounts.values():
                expected = _signature(account.secret, request.headers.get("webhook-id", ""), at, request.body).encode()
                if not account.revoked and any([hmac.compare_digest(expected, each) for each in given]):
                    # Files have addresses, and nobody but a caller tells what ours is.
                    account.more["origin"] = request.origin
                    return account
        return _refusal(401, "bad_credentials")

    def refuse(self, fault: Fault) -> Response:
        """An answer by its number."""
        number = code_of(fault)
        return _refusal(number, REASONS[number]) if number in REASONS else answer(number, {"code": f"E{number}"})

    def nowhere(self) -> Response:
        """404."""
        return answer(404, {"code": "nowhere"})

    # --- calls --------------------------------------------------------------------------------------

    def _find(self, request: Request) -> tuple[Route | None, Mapping[str, str]]:
        """A ping comes where messages do, and is none: faults tell them apart."""
        found, args = super()._find(request)
        return (self.PING if found is self.MESSAGE and _is_ping(request.body) else found), args

    def _ping(self, call: Call) -> Response:
        account, url = call.account, _body(call.request).get("webhook_url")
        if isinstance(url, str) and url.startswith(("http://", "https://")) and (account.target is None or account.target.url != url):
            self.set_webhook(account, url)
        return answer(200, {"identity": account.id})

    def _message(self, call: Call) -> Response:
        body = _body(call.request)
        if body.get("type") != "message" or body.get("id") != call.request.headers["webhook-id"]:
            raise Problem(_refusal(400, "bad_request"))
        taken, id, message = call.account.more["taken"], body["id"], body.get("message")
        if id in taken and self.hub.now() - taken[id][1] < REMEMBERED:
            return answer(409, {"id": taken[id][0]})
        place, moved = call.account.conversations.get(str(body.get("conversation"))), call.account.more["moved"]
        if place is None and body.get("conversation") in moved:
            raise Problem(_refusal(422, "moved", conversation=moved[body["conversation"]]))
        if place is None:
            raise Problem(_refusal(422, "bad_recipient"))
        if place.blocked:
            raise Problem(_refusal(422, "blocked"))
        if place.more.get("gone"):
            raise Problem(_refusal(410, "conversation_closed"))
        post = self._post(message if isinstance(message, dict) else {})
        post.more["reply_id"] = id
        taken[id] = (post.id, self.hub.now())
        self.take(call, place, post, key=id.replace("-", "."))
        return answer(200, {"id": post.id})

    def _post(self, message: Json) -> Post:
        kind = message.get("kind")
        if kind == "text" and isinstance(message.get("text"), str):
            if len(message["text"]) > TEXT_LIMIT:
                raise Problem(_refusal(413, "too_large"))
            return self.new_post("text", mine=False, text=message["text"])
        if kind in FILES and str(message.get("url", "")).startswith(("http://", "https://")):
            return self.new_post(str(kind), mine=False, text=str(message.get("caption") or ""), url=message["url"])
        if kind == "location":
            return self.new_post("location", mine=False, place={"lat": message["latitude"], "long": message["longitude"]})
        if kind == "rich":
            return self.new_post("rich", mine=False, text=str(message.get("summary") or ""))
        raise Problem(_refusal(422, "unsupported"))

    def _file(self, call: Call) -> Response:
        kept = call.account.files.get(call.args["file"])
        return self.nowhere() if kept is None else served(kept)

    routes: ClassVar[Sequence[Route]] = (
        MESSAGE := Route("POST", r"/?", "message", "send", _message),
        Route("GET", r"/files/(?P<file>[\w-]+)", "file", "media", _file),
    )
    PING: ClassVar[Route] = Route("POST", r"/?", "ping", "read", _ping)

    # --- events ---------------------------------------------------------------------------------------

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """Signed at the moment of each attempt, and named after what it says."""
        body = json.dumps({"events": events}, ensure_ascii=False, separators=(",", ":")).encode()
        id, at = str(events[0]["id"]), str(self.hub.now() // SECOND)
        proof = _signature(account.secret, id, at, body)
        return {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": at, "webhook-signature": proof}, body

    def event(self, kind: str, more: Json) -> Json:
        """An event of now."""
        return {"id": f"evt-{self.hub.ids.object_id()}", "type": kind, "timestamp": iso(self.hub.now()), **more}

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """See DirectService."""
        who = {"conversation": place.id, "contact": account.more["people"][place.id], "contact_name": place.name}
        return self.event("message", {**who, "message_id": post.id, "contents": [self._content(account, post)]})

    def _content(self, account: Account, post: Post) -> Json:
        if post.file:
            kept = account.files[post.file]
            url = f"{account.more['origin']}/{self.name}/files/{post.file}"
            file: Json = {"kind": post.kind, "url": url, "name": kept.name, "media_type": kept.media_type, "size": len(kept.data)}
            return file | ({"caption": post.text} if post.text else {})
        if post.place:
            return {"kind": "location", "latitude": post.place["lat"], "longitude": post.place["long"]}
        return {"kind": "text", "text": post.text}

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """Every level is told, by both ids."""
        told: Json = {"level": level, "reply_id": post.more["reply_id"], "message_id": post.id}
        if fault is not None:
            named = fault.error_code in FAILURES
            told |= {"reason": fault.error_code if named else "bad_recipient", "code": fault.error_code, "detail": fault.error_message}
        return self.event("receipt", told)

    def blocks(self, account: Account, place: Conversation) -> Json | None:
        """See DirectService."""
        return self.event("contact.blocked" if place.blocked else "contact.unblocked", {"contact": account.more["people"][place.id]})

    # --- the contact ------------------------------------------------------------------------------------

    def more_acts(self) -> dict[str, Act]:
        """The conversation goes on under another id, or ends."""
        return {"move": self._move, "remove": self._remove}

    def _move(self, conversation: str, _: Json, __: Request) -> Json:
        account, place = self.find(conversation)
        old, new = place.id, f"room-{self.hub.ids.hex_token(8)}"
        place.id = new
        account.conversations[new] = account.conversations.pop(old)
        account.more["people"][new] = account.more["people"].pop(old)
        account.more["moved"][old] = new
        self.hub.tally.move(self.name, old, new)
        self.tell(account, "moved", self.event("conversation.moved", {"old": old, "new": new}))
        self.hub.changed()
        return {"conversation": new}

    def _remove(self, conversation: str, _: Json, __: Request) -> None:
        account, place = self.find(conversation)
        place.more["gone"] = True
        self.tell(account, "removed", self.event("conversation.removed", {"conversation": place.id}))

    def seed(self, contact: str) -> tuple[Account, Json]:
        """A service with one room."""
        ids = self.hub.ids
        id, room = f"shop-{ids.hex_token(6)}", f"room-{ids.hex_token(8)}"
        secret = base64.b64encode(bytes.fromhex(ids.hex_token(64))).decode()
        account = Account(id, "Demo desk", id, "", f"whsec_{secret}")
        account.more = {"taken": {}, "moved": {}, "people": {room: f"person-{ids.hex_token(6)}"}, "origin": "http://sandbox.invalid"}
        account.conversations[room] = Conversation(room, contact)
        return account, {}


def _signature(secret: str, id: str, at: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"))
    except binascii.Error:
        return ""
    return "v1," + base64.b64encode(hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()).decode()


def _refusal(number: int, reason: str, **more: str) -> Response:
    return answer(number, {"reason": reason, "code": f"E{number}", **more})


def _body(request: Request) -> Json:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Problem(_refusal(415, "bad_request"))
    try:
        body = request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem(_refusal(400, "bad_request"))
    return body


def _is_ping(body: bytes) -> bool:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("type") == "ping"
