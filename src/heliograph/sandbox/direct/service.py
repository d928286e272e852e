"""The part that is alike in the simulated messaging services: routes under faults, what is taken, webhooks, the contact's phone."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import unquote

from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault, carry_out, network_outcome
from heliograph.sandbox.journal import Arrival, noted
from heliograph.sandbox.outbox import RetryPolicy, Target
from heliograph.sandbox.service import LATEST, Act, Hub, flag, number, text, upload
from heliograph.sandbox.wire import SECOND, Json, Outcome, Reply, Request, Response, Upload

#: Microseconds.
DAY = 86_400 * SECOND


class Problem(Exception):
    """An error answer, in the service's own shape."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.code))
        self.response = response


@dataclass(slots=True)
class Call:
    """One authenticated request. `args` are the named groups of the route's path."""

    request: Request
    account: Account
    args: Mapping[str, str]
    #: Set where the message is to be refused by a receipt later.
    receipt: Fault | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `path` is a regular expression over what follows the service's own prefix, `group` "send", "read", "media" …"""

    method: str
    path: str
    operation: str
    group: str
    handler: Callable[[Any, Call], Response] = field(repr=False)


class DirectService(ABC):
    """A service under `/<name>/…`. A subclass brings its routes, how it words errors, and how webhooks look."""

    name: ClassVar[str]
    title: ClassVar[str]
    routes: ClassVar[Sequence[Route]]
    retries: ClassVar[RetryPolicy]
    #: Events in one webhook call, at most.
    batch: ClassVar[int] = 1

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.accounts: dict[str, Account] = {}
        self._table = [(route, re.compile(route.path)) for route in self.routes]

    # --- to be brought by each service ----------------------------------------------------------

    @abstractmethod
    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """Whose call it is, or the answer to one without good credentials. A revoked account has none."""

    @abstractmethod
    def refuse(self, fault: Fault) -> Response:
        """An error in the service's own shape; `faults.code_of` gives its HTTP code."""

    @abstractmethod
    def nowhere(self) -> Response:
        """The answer to a path or method that the service does not have."""

    @abstractmethod
    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """Headers (the signature among them) and body of a webhook call."""

    @abstractmethod
    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """The event that the contact has written `post`."""

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """The event that `post` was "sent", "delivered", "read" or, by `fault`, "failed"; None where the service says no such thing."""
        return None

    def blocks(self, account: Account, place: Conversation) -> Json | None:
        """The event that the contact has blocked the business or come back; None where it is not told."""
        return None

    @abstractmethod
    def seed(self, contact: str) -> tuple[Account, Json]:
        """A fresh account with one conversation, and a channel's configuration for it without `base_url` and `webhook_secret`."""

    def window(self, place: Conversation) -> int:
        """How long after the contact's last message the business may write, microseconds; 0: for as long as it likes."""
        return 0

    def more_acts(self) -> dict[str, Act]:
        """What a contact can do beyond what all can."""
        return {}

    # --- calls ------------------------------------------------------------------------------------

    def owns(self, path: str) -> bool:
        """See Service."""
        return path == f"/{self.name}" or path.startswith(f"/{self.name}/")

    def handle(self, request: Request) -> Outcome:
        """See Service."""
        route, args = self._find(request)
        arrival = self.hub.journal.arrive(
            at=self.hub.now(), service=self.name, operation=route.operation if route else "none", group=route.group if route else "read",
            key="", conversation="",
        )  # fmt: skip
        return noted(arrival, self._decide(request, route, args, arrival))

    def _find(self, request: Request) -> tuple[Route | None, Mapping[str, str]]:
        path = unquote(request.path.removeprefix(f"/{self.name}"))
        for route, pattern in self._table:
            if route.method == request.method and (found := pattern.fullmatch(path)):
                return route, found.groupdict()
        return None, {}

    def _decide(self, request: Request, route: Route | None, args: Mapping[str, str], arrival: Arrival) -> Outcome:
        if cut_off := self.hub.faults.network(self.name, arrival.operation, arrival.group):
            return network_outcome(cut_off)
        if route is None:
            return Reply(self.nowhere())
        account = self.authenticate(request, args)
        if isinstance(account, Response):
            return Reply(account)
        arrival.key = account.key
        strike = self.hub.faults.strike(self.name, route.operation, route.group, account.key)
        call = Call(request, account, args, strike.receipt)
        return carry_out(strike, self.hub.now, self.refuse, lambda: self._carry(route, call, arrival))

    def _carry(self, route: Route, call: Call, arrival: Arrival) -> Response:
        try:
            response = route.handler(self, call)
        except Problem as problem:
            return problem.response
        arrival.taken = route.group != "read" and response.code < 400
        return response

    def take(self, call: Call, place: Conversation, post: Post, *, key: str) -> None:
        """The service takes a message of the business; receipts follow by themselves. `key` is our id in it, "" where it carries none."""
        account = call.account
        place.typing_until = 0
        if call.receipt is None:
            place.posts.append(post)
            self.hub.tally.take(
                at=post.at, service=self.name, conversation=place.id, message_id=post.id, text=post.text,
                metadata={"heliograph": key} if key else None,
            )  # fmt: skip
            self._receipt(account, place, post, "sent", self.hub.settings.channel_after)
            if not place.blocked:
                self._receipt(account, place, post, "delivered", self.hub.settings.user_after)
        else:
            self._receipt(account, place, post, "failed", self.hub.settings.channel_after, call.receipt)
        self.hub.changed()

    def _receipt(
        self, account: Account, place: Conversation, post: Post, level: str, after: float | None, fault: Fault | None = None
    ) -> None:
        event = None if after is None else self.receipt(account, place, post, level, fault)
        if event is not None:
            self.tell(account, level, event, after=after or 0.0)

    # --- webhooks -----------------------------------------------------------------------------------

    def set_webhook(self, account: Account, url: str) -> None:
        """Send this account's events to `url` from now on; "" to nobody."""
        if account.target is not None:
            account.target.removed = True
        account.target = self._target(account, url) if url else None

    def _target(self, account: Account, url: str) -> Target:
        def pack(events: list[Json]) -> tuple[dict[str, str], bytes]:
            return self.pack(account, events)

        return Target(f"{self.name}:{account.id}", self.name, url, self.retries, lambda: self.batch, pack, _arrived)

    def tell(self, account: Account, kind: str, event: Json, *, after: float = 0.0) -> None:
        """Put an event on its way to the business."""
        if account.target is not None:
            self.hub.outbox.put(account.target, kind, event, after)

    # --- the contact ----------------------------------------------------------------------------------

    def find(self, conversation: str) -> tuple[Account, Conversation]:
        """The conversation. Raises LookupError."""
        for account in self.accounts.values():
            if conversation in account.conversations:
                return account, account.conversations[conversation]
        raise LookupError("no such conversation")

    def writes(self, conversation: str, post: Post) -> Post:
        """The contact writes."""
        account, place = self.find(conversation)
        place.posts.append(post)
        place.heard = post.at
        self.tell(account, "message", self.told(account, place, post))
        self.hub.changed()
        return post

    def new_post(self, kind: str, *, mine: bool, text: str = "", **more: Any) -> Post:
        """A post of now, with an id of the service."""
        return Post(self.new_id(), self.hub.now(), mine, kind, text, **more)

    def new_id(self) -> str:
        """An id of a message."""
        return self.hub.ids.object_id()

    def keep(self, account: Account, file: Upload) -> str:
        """Keep a file of the account; returns its id."""
        id = self.hub.ids.token(24)
        account.files[id] = file
        return id

    @property
    def acts(self) -> Mapping[str, Act]:
        """See Service."""
        return {
            "text": lambda place, body, _: {"id": self.writes(place, self.new_post("text", mine=True, text=text(body, "text"))).id},
            "file": self._sends_file,
            "location": self._shares_place,
            "read": lambda place, _, __: self._reads(place),
            "typing": lambda _, __, ___: None,
            "fall_silent": lambda place, _, __: self._falls_silent(place),
            "block": lambda place, body, _: self._blocks(place, blocked=flag(body, "blocked")),
            **self.more_acts(),
        }

    def _sends_file(self, conversation: str, body: Json, request: Request) -> Json:
        account, _ = self.find(conversation)
        file = upload(request)
        post = self.new_post(kind_of(file.media_type), mine=True, text=str(body.get("caption") or ""))
        post.file = self.keep(account, file)
        return {"id": self.writes(conversation, post).id}

    def _shares_place(self, conversation: str, body: Json, request: Request) -> Json:
        place = {"lat": number(body, "latitude"), "long": number(body, "longitude")}
        return {"id": self.writes(conversation, self.new_post("location", mine=True, place=place)).id}

    def _reads(self, conversation: str) -> int:
        account, place = self.find(conversation)
        unread = [post for post in place.posts if not post.mine and not post.read]
        for post in unread:
            post.read = True
            self._receipt(account, place, post, "read", 0.0)
        if unread:
            self.hub.changed()
        return len(unread)

    def silent(self, place: Conversation, window: int) -> bool:
        """Whether the contact has not written for so many microseconds, or never."""
        return not place.heard or self.hub.now() - place.heard > window

    def _falls_silent(self, conversation: str) -> None:
        """As if the window had just passed without a word of the contact's."""
        _, place = self.find(conversation)
        window = self.window(place)
        if not window:
            raise ValueError("this service has no reply window")
        place.heard = self.hub.now() - window - SECOND
        self.hub.changed()

    def _blocks(self, conversation: str, *, blocked: bool) -> None:
        account, place = self.find(conversation)
        place.blocked = blocked
        event = self.blocks(account, place)
        if event is not None:
            self.tell(account, "block", event)
        self.hub.changed()

    # --- the phone --------------------------------------------------------------------------------------

    def phones(self) -> list[Json]:
        """See Service."""
        return [
            {"service": self.name, "conversation": place.id, "name": place.name}
            for account in self.accounts.values()
            for place in account.conversations.values()
        ]

    def phone(self, conversation: str) -> Json:
        """See Service."""
        account, place = self.find(conversation)
        return {
            "service": self.name, "conversation": place.id, "name": place.name, "desk": account.name, "channel": self.title,
            "blocked": place.blocked, "typing": place.typing_until > self.hub.now(), "total": len(place.posts),
            "window": self.window(place) > 0,
            "messages": [self._shown(account, post) for post in place.posts[-LATEST:] if not post.refused],
        }  # fmt: skip

    def _shown(self, account: Account, post: Post) -> Json:
        shown: Json = {
            "id": post.id, "at": post.at, "mine": post.mine, "kind": post.kind, "sender": "", "text": post.text,
            "ticks": "taken" if post.mine else "", "new": not post.mine and not post.read, **post.shown,
        }  # fmt: skip
        if post.file or post.url:
            # Not the service's own download address: that one may carry a key.
            kept = account.files.get(post.file)
            url = post.url or f"/sandbox/file/{self.name}/{post.file}"
            name = kept.name if kept else post.url.rpartition("/")[2]
            shown["media"] = {"kind": "image" if post.kind == "image" else "file", "url": url, "name": name}
        if post.place:
            shown["place"] = post.place
        return shown

    def file(self, id: str) -> Response:
        """See Service."""
        for account in self.accounts.values():
            if id in account.files:
                return served(account.files[id])
        raise LookupError("no such file")

    def revoke(self, key: str, *, revoked: bool) -> bool:
        """See Service."""
        found = [account for account in self.accounts.values() if account.key == key]
        for account in found:
            account.revoked = revoked
        return bool(found)


def kind_of(media_type: str) -> str:
    """What kind of post a file of that type makes."""
    top = media_type.partition("/")[0]
    return top if top in ("image", "audio", "video") else "file"


def served(file: Upload) -> Response:
    """A kept file as an answer."""
    return Response(200, file.data, {"content-type": file.media_type, "x-content-type-options": "nosniff"})


def seconds(microseconds: int) -> int:
    """A time as whole Unix seconds."""
    return microseconds // SECOND


def _arrived(event: Json) -> None:
    """Nothing is kept of an event that has arrived."""
