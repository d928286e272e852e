"""A faithful LINE of our own: pushes that take each retry key once, replies by token, content, quota, and events.

Source: LINE's OpenAPI descriptions and its Messaging API reference; a retry key is known for 24 hours after its first request.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from heliograph.sandbox.direct.line_messages import (
    ADDRESSES,
    INVALID_TO,
    RETRY_KEY,
    body_of,
    called,
    checked,
    content,
    fetchable,
    problem,
    said,
    source,
)
from heliograph.sandbox.direct.service import Call, DirectService, Problem, Route, served
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault, code_of
from heliograph.sandbox.outbox import RetryPolicy, Target
from heliograph.sandbox.service import Act, Hub, text
from heliograph.sandbox.wire import SECOND, Json, Request, Response, answer

REMEMBERED = 24 * 3600 * SECOND
NO_TOKEN = "Authentication failed due to the following reason: {}. Confirm that the access token in the authorization header is valid."
MESSAGES = {
    400: "The request body has 1 error(s)",
    401: NO_TOKEN.format("invalid token"),
    403: "Access to this API is not available for your account",
    404: "Not found",
    429: "The API rate limit has been exceeded. Try again later.",
}
MONTHLY = "You have reached your monthly limit."


class Line(DirectService):
    """Official Accounts, each with a friend and a group. Under /line/v2/bot/…, content included."""

    name: ClassVar[str] = "line"
    title: ClassVar[str] = "LINE"
    #: "Webhook redelivery" is on. How often and when is not disclosed.
    retries: ClassVar[RetryPolicy] = RetryPolicy((1.0, 5.0, 30.0, 120.0, 600.0), frozenset(), 10.0)
    batch: ClassVar[int] = 10

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._numbers = itertools.count(1)

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """By the channel access token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        for account in self.accounts.values():
            if scheme == "Bearer" and token == account.token and not account.revoked:
                return account
        return problem(401, NO_TOKEN.format("invalid token" if token else "missing token"))

    def refuse(self, fault: Fault) -> Response:
        """An error by its number; "monthly" as the fault's error code tells of the month's quota instead of the rate."""
        number = code_of(fault)
        words = MONTHLY if fault.error_code == "monthly" and number == 429 else MESSAGES.get(number, "The error occurred")
        return problem(number, words)

    def nowhere(self) -> Response:
        """404."""
        return problem(404, "Not found")

    # --- sending ------------------------------------------------------------------------------------

    def _push(self, call: Call) -> Response:
        body = body_of(call.request)
        given = call.request.headers.get("x-line-retry-key")
        if given is not None and not RETRY_KEY.fullmatch(given):
            raise Problem(problem(400, "The retry key is invalid"))
        if given is not None and (known := self._known(call.account, given.lower())) is not None:
            accepted = answer(409, {"message": "The retry key is already accepted", "sentMessages": known["sent"]})
            return accepted.with_header("x-line-accepted-request-id", known["request"])
        to = body.get("to")
        if not to:
            raise Problem(problem(400, "The request body has 1 error(s)", [("to", "May not be empty")]))
        if not isinstance(to, str) or not ADDRESSES.fullmatch(to):
            raise Problem(problem(400, INVALID_TO))
        messages = checked(body.get("messages"))
        place = call.account.conversations.get(to)
        if place is None or place.more.get("gone"):
            raise Problem(problem(400, "Failed to send messages"))
        self._count(call.account)
        return self._sent(call, place, messages, given)

    def _known(self, account: Account, key: str) -> Json | None:
        known: Json | None = account.more["keys"].get(key)
        return known if known is not None and self.hub.now() - known["at"] < REMEMBERED else None

    def _count(self, account: Account) -> None:
        quota = account.more["quota"]
        if quota is not None and account.more["used"] >= quota:
            raise Problem(problem(429, MONTHLY))
        account.more["used"] += 1

    def _sent(self, call: Call, place: Conversation, messages: list[Json], key: str | None) -> Response:
        request = self.hub.ids.hex_token(32)
        request = "-".join((request[:8], request[8:12], request[12:16], request[16:20], request[20:]))
        sent = []
        for each in messages:
            post = self.new_post(each["type"], mine=False, text=said(each), url=str(each.get("originalContentUrl") or ""))
            if each["type"] == "location":
                post.place = {"lat": each["latitude"], "long": each["longitude"]}
            # A blocked account's messages are taken like any other, and seen by nobody.
            post.refused = place.blocked
            self.take(call, place, post, key=key or "")
            sent.append({"id": post.id} | ({"quoteToken": f"q{post.id}"} if each["type"] in ("text", "sticker") else {}))
        if key is not None:
            call.account.more["keys"][key.lower()] = {"at": self.hub.now(), "request": request, "sent": sent}
        return answer(200, {"sentMessages": sent}).with_header("x-line-request-id", request)

    def _reply(self, call: Call) -> Response:
        body, tokens = body_of(call.request), call.account.more["tokens"]
        if "x-line-retry-key" in call.request.headers:
            raise Problem(problem(400, "The retry key is not supported by this API"))
        messages = checked(body.get("messages"))
        place = call.account.conversations.get(tokens.pop(body.get("replyToken"), ""))
        if place is None:
            raise Problem(problem(400, "Invalid reply token"))
        return self._sent(call, place, messages, None)

    def _validate(self, call: Call) -> Response:
        checked(body_of(call.request).get("messages"))
        return answer(200, {})

    def _loading(self, call: Call) -> Response:
        place = call.account.conversations.get(str(body_of(call.request).get("chatId")))
        if place is None or place.id[0] != "U":
            raise Problem(problem(400, "The request body has 1 error(s)", [("chatId", "Invalid")]))
        place.typing_until = self.hub.now() + 5 * SECOND
        self.hub.changed()
        return answer(202, {})

    # --- asking ---------------------------------------------------------------------------------------

    def _info(self, call: Call) -> Response:
        account = call.account
        return answer(200, {
            "userId": account.id, "basicId": account.more["basic_id"], "displayName": account.name, "chatMode": "bot",
            "markAsReadMode": "auto",
        })  # fmt: skip

    def _profile(self, call: Call) -> Response:
        place = call.account.conversations.get(call.args["user"])
        if place is None or place.blocked:
            return self.nowhere()
        return answer(200, {"userId": place.id, "displayName": place.name, "language": "en"})

    def _quota(self, call: Call) -> Response:
        quota = call.account.more["quota"]
        return answer(200, {"type": "none"} if quota is None else {"type": "limited", "value": quota})

    def _consumption(self, call: Call) -> Response:
        return answer(200, {"totalUsage": call.account.more["used"]})

    def _content(self, call: Call) -> Response:
        for place in call.account.conversations.values():
            for post in place.posts:
                if post.id == call.args["message"] and post.file:
                    return served(call.account.files[post.file])
        return self.nowhere()

    def _endpoint(self, call: Call) -> Response:
        target = call.account.target
        return self.nowhere() if target is None else answer(200, {"endpoint": target.url, "active": True})

    def _set_endpoint(self, call: Call) -> Response:
        url = body_of(call.request).get("endpoint")
        if not isinstance(url, str) or len(url) > 500 or not fetchable(url):
            raise Problem(problem(400, "The request body has 1 error(s)", [("endpoint", "Invalid webhook endpoint URL")]))
        self.set_webhook(call.account, url)
        return answer(200, {})

    routes: ClassVar[Sequence[Route]] = (
        Route("POST", r"/v2/bot/message/push", "pushMessage", "send", _push),
        Route("POST", r"/v2/bot/message/reply", "replyMessage", "send", _reply),
        Route("POST", r"/v2/bot/message/validate/push", "validatePush", "read", _validate),
        Route("POST", r"/v2/bot/chat/loading/start", "showLoadingAnimation", "activity", _loading),
        Route("GET", r"/v2/bot/info", "getBotInfo", "read", _info),
        Route("GET", r"/v2/bot/profile/(?P<user>\w+)", "getProfile", "read", _profile),
        Route("GET", r"/v2/bot/message/quota", "getMessageQuota", "read", _quota),
        Route("GET", r"/v2/bot/message/quota/consumption", "getMessageQuotaConsumption", "read", _consumption),
        Route("GET", r"/v2/bot/message/(?P<message>\w+)/content", "getMessageContent", "media", _content),
        Route("GET", r"/v2/bot/channel/webhook/endpoint", "getWebhookEndpoint", "admin", _endpoint),
        Route("PUT", r"/v2/bot/channel/webhook/endpoint", "setWebhookEndpoint", "admin", _set_endpoint),
    )

    # --- events -----------------------------------------------------------------------------------------

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """See DirectService."""
        return called(account, events)

    def event(self, account: Account, place: Conversation, kind: str, more: Json, *, answerable: bool = True) -> Json:
        """An event; one that can be answered brings a token for that, good once."""
        made: Json = {
            "type": kind, "mode": "active", "timestamp": self.hub.now() // 1000, "source": source(place, account.more["person"]),
            "webhookEventId": f"01{self.hub.ids.hex_token(24).upper()}", "deliveryContext": {"isRedelivery": False}, **more,
        }  # fmt: skip
        if answerable:
            made["replyToken"] = self.hub.ids.hex_token(32)
            account.more["tokens"][made["replyToken"]] = place.id
        return made

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """See DirectService."""
        return self.event(account, place, "message", {"message": content(account, post)})

    def blocks(self, account: Account, place: Conversation) -> Json | None:
        """Friends block and come back; a group cannot."""
        if place.id[0] != "U":
            return None
        if place.blocked:
            return self.event(account, place, "unfollow", {}, answerable=False)
        return self.event(account, place, "follow", {"follow": {"isUnblocked": True}})

    # --- the contact --------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """18 digits."""
        return f"{self.hub.now() // SECOND % 10**11:011d}{next(self._numbers) % 10**7:07d}"

    def more_acts(self) -> dict[str, Act]:
        """A sticker, a button, a message taken back or changed, the group without us; and the console's button Verify."""
        return {
            "file": self._file,
            "sticker": self._sticker,
            "postback": self._postback,
            "unsend": self._unsend,
            "leave": self._leave,
            "verify": self._verify,
        }

    def _file(self, conversation: str, body: Json, request: Request) -> Json:
        """LINE knows no captions: what is written with a file follows it."""
        done = self._sends_file(conversation, {}, request)
        if body.get("caption"):
            self.writes(conversation, self.new_post("text", mine=True, text=str(body["caption"])))
        return done

    def _sticker(self, conversation: str, body: Json, _: Request) -> Json:
        post = self.new_post("sticker", mine=True, text=f"[{body.get('text') or 'sticker'}]")
        post.more["message"] = {
            "packageId": "446", "stickerId": "1988", "stickerResourceType": "STATIC", "keywords": [str(body.get("text") or "Hello")],
        }  # fmt: skip
        return {"id": self.writes(conversation, post).id}

    def _postback(self, conversation: str, body: Json, _: Request) -> None:
        account, place = self.find(conversation)
        self.tell(account, "postback", self.event(account, place, "postback", {"postback": {"data": text(body, "payload")}}))

    def _unsend(self, conversation: str, body: Json, _: Request) -> Json:
        account, place = self.find(conversation)
        post = next((each for each in reversed(place.posts) if each.mine and body.get("id") in (None, each.id)), None)
        if post is None:
            raise LookupError("no such message")
        place.posts.remove(post)
        self.tell(account, "unsend", self.event(account, place, "unsend", {"unsend": {"messageId": post.id}}, answerable=False))
        self.hub.changed()
        return {"id": post.id}

    def _leave(self, conversation: str, _: Json, __: Request) -> None:
        account, place = self.find(conversation)
        if place.id[0] == "U":
            raise ValueError("only a group can do without us")
        place.more["gone"] = True
        self.tell(account, "leave", self.event(account, place, "leave", {}, answerable=False))

    def _verify(self, conversation: str, _: Json, __: Request) -> None:
        """A call without events, to see whether the address answers."""
        account, _place = self.find(conversation)
        if account.target is None:
            raise LookupError("no webhook URL is set")
        target = account.target
        once = RetryPolicy((), frozenset(), target.policy.timeout)
        tried = Target(f"{target.id}:verify", self.name, target.url, once, lambda: 1, lambda _: called(account, []), lambda _: None)
        self.hub.outbox.put(tried, "verify", {"id": "verify"})

    def seed(self, contact: str) -> tuple[Account, Json]:
        """An account with a friend, and a group that the friend is in."""
        ids = self.hub.ids
        bot, friend, group = f"U{ids.hex_token(32)}", f"U{ids.hex_token(32)}", f"C{ids.hex_token(32)}"
        account = Account(bot, "Demo desk", bot, ids.token(60), ids.hex_token(32))
        account.more = {
            "basic_id": f"@{ids.hex_token(3)}demo", "person": friend, "keys": {}, "tokens": {}, "used": 0, "quota": None,
        }  # fmt: skip
        account.conversations[friend] = Conversation(friend, contact)
        account.conversations[group] = Conversation(group, f"{contact} and others")
        return account, {"token": account.token}
