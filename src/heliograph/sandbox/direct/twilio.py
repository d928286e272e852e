"""A faithful Twilio of our own: the Messages API for SMS and WhatsApp, receipts by address, files behind a redirect."""

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from heliograph.sandbox.direct import twilio_files, twilio_templates
from heliograph.sandbox.direct.service import DAY, Call, DirectService, Route, kind_of
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.direct.twilio_messages import (
    SMS_LIMIT,
    VERSION,
    arrival,
    channel_of,
    form_of,
    http_url,
    key_of,
    message_of,
    news,
    problem,
    refused,
    retries_of,
    shown,
    signed,
)
from heliograph.sandbox.faults import Fault, Mode, code_of
from heliograph.sandbox.outbox import RetryPolicy, Target
from heliograph.sandbox.service import Act, text
from heliograph.sandbox.wire import SECOND, Json, Request, Response, Upload, answer

NUMBER = re.compile(r"(whatsapp:)?\+[1-9][0-9]{6,14}")
_CODES = {401: 20003, 403: 20005, 404: 20404, 429: 20429}
#: Receipts that a carrier cannot reach the number, and that WhatsApp does not know it.
_UNREACHABLE = {"": 30003, "whatsapp": 63024}
_ACCOUNT = rf"/{VERSION}/Accounts/(?P<sid>\w+)"


class Twilio(DirectService):
    """Accounts with a Messaging Service that holds one number and one WhatsApp sender."""

    name: ClassVar[str] = "twilio"
    title: ClassVar[str] = "Twilio"
    retries: ClassVar[RetryPolicy] = retries_of("")[1]

    # --- who calls --------------------------------------------------------------------------------

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """Account SID and Auth Token; a stored file needs none, for its address is unguessable."""
        if "stored" in args:
            found = next((each for each in self.accounts.values() if args["stored"] in each.files), None)
            return found or self.nowhere()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            sid, _, token = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            sid = token = ""
        account = self.accounts.get(sid)
        if scheme.lower() != "basic" or account is None or account.revoked or token != account.token:
            return problem(20003, 401, {"www-authenticate": 'Basic realm="Twilio API"'})
        if args.get("sid", sid) != sid:
            return self.nowhere()
        # Files have addresses, and nobody but a caller tells what ours is.
        account.more["base"] = f"{request.origin}/{self.name}"
        return account

    def refuse(self, fault: Fault) -> Response:
        """An error by its code."""
        number = code_of(fault)
        return problem(_CODES.get(number, 20500 if number >= 500 else number), number)

    def nowhere(self) -> Response:
        """20404."""
        return problem(20404, 404)

    # --- operations -------------------------------------------------------------------------------

    def _create(self, call: Call) -> Response:
        fields = form_of(call.request)
        to, body, media, callback = (fields.get(name, "") for name in ("To", "Body", "MediaUrl", "StatusCallback"))
        if not to:
            raise refused(21604)
        sender = self._sender(call.account, fields, to)
        template = fields.get("ContentSid", "")
        if template:
            body = twilio_templates.rendered(call.account, template, fields.get("ContentVariables", ""))
        if not body and not media:
            raise refused(21602)
        if len(body) > SMS_LIMIT:
            raise refused(21617)
        if not NUMBER.fullmatch(to):
            raise refused(21211)
        if media and not http_url(media):
            raise refused(21620)
        if callback and not http_url(callback):
            raise refused(21609)
        place = call.account.conversations.get(to)
        if place is not None and place.blocked and not channel_of(to):
            raise refused(21610)
        post = self.new_post(_kind(media), mine=False, text=body, url=media)
        post.more = {"from": sender, "to": to, "callback": callback, "service": fields.get("MessagingServiceSid"), "template": template}
        self._queue(call, place, post)
        return answer(201, shown(call.account, post, "accepted" if post.more["service"] else "queued"))

    def _sender(self, account: Account, fields: Mapping[str, str], to: str) -> str:
        service, sender = fields.get("MessagingServiceSid", ""), fields.get("From", "")
        if service:
            if service != account.more["service"]:
                raise refused(21701)
            return str(account.more["senders"][channel_of(to)])
        if not sender:
            raise refused(21603)
        if sender not in account.more["senders"].values():
            raise refused(63007 if channel_of(sender) else 21606)
        if channel_of(sender) != channel_of(to):
            raise refused(21910)
        return sender

    def _queue(self, call: Call, place: Conversation | None, post: Post) -> None:
        """What the network beyond will not carry is taken here all the same, and refused by a receipt."""
        account, channel = call.account, channel_of(post.more["to"])
        account.more["sent"][post.id] = post
        reason = 0
        if place is None or (place.blocked and channel):
            reason = _UNREACHABLE[channel]
        elif channel and self.silent(place, self.window(place)) and not post.more["template"]:
            reason = 63016
        if reason and call.receipt is None:
            call.receipt = Fault(self.name, Mode.RECEIPT_FAILURE, "send", error_code=str(reason))
        self.take(call, place or Conversation(post.more["to"], ""), post, key=key_of(post.more["callback"]))

    def window(self, place: Conversation) -> int:
        """WhatsApp's; a carrier has none."""
        return DAY if channel_of(place.id) else 0

    def _list(self, call: Call) -> Response:
        query, account = call.request.query, call.account
        found = [*account.more["sent"].values(), *(post for place in account.conversations.values() for post in place.posts if post.mine)]
        for name in ("From", "To"):
            found = [post for post in found if query.get(name) in (None, post.more[name.lower()])]
        found.sort(key=lambda post: post.at, reverse=True)
        size, page = _whole(query, "PageSize", 50), _whole(query, "Page", 0)
        path = f"/{VERSION}/Accounts/{account.id}/Messages.json"
        more = len(found) > (page + 1) * size
        filters = "".join(f"&{name}={query[name].replace('+', '%2B')}" for name in ("From", "To") if name in query)
        return answer(200, {
            "messages": [shown(account, post, self._state(post)) for post in found[page * size : (page + 1) * size]], "page": page,
            "page_size": size, "uri": path, "first_page_uri": f"{path}?PageSize={size}&Page=0{filters}", "previous_page_uri": None,
            "next_page_uri": f"{path}?PageSize={size}&Page={page + 1}{filters}" if more else None, "start": page * size,
            "end": min(len(found), (page + 1) * size) - 1,
        })  # fmt: skip

    def _fetch(self, call: Call) -> Response:
        post = message_of(call)
        return answer(200, shown(call.account, post, self._state(post)))

    def _state(self, post: Post) -> str:
        if post.mine:
            return "received"
        if post.more.get("error"):
            return "undelivered"
        if post.read:
            return "read"
        passed, settings = (self.hub.now() - post.at) / SECOND, self.hub.settings
        if settings.user_after is not None and passed >= settings.user_after:
            return "delivered"
        return "sent" if settings.channel_after is not None and passed >= settings.channel_after else "queued"

    def _account(self, call: Call) -> Response:
        account = call.account
        return answer(200, {
            "sid": account.id, "friendly_name": account.name, "status": account.more["status"], "type": "Full",
            "auth_token": account.token, "owner_account_sid": account.id, "uri": f"/{VERSION}/Accounts/{account.id}.json",
            "subresource_uris": {}, "date_created": None, "date_updated": None,
        })  # fmt: skip

    routes: ClassVar = (
        Route("POST", rf"{_ACCOUNT}/Messages\.json", "createMessage", "send", _create),
        Route("GET", rf"{_ACCOUNT}/Messages\.json", "listMessages", "read", _list),
        Route("GET", rf"{_ACCOUNT}/Messages/(?P<message>\w+)\.json", "fetchMessage", "read", _fetch),
        Route("GET", rf"{_ACCOUNT}/Messages/(?P<message>\w+)/Media\.json", "listMedia", "read", twilio_files.listed),
        Route("GET", rf"{_ACCOUNT}/Messages/(?P<message>\w+)/Media/(?P<media>\w+)", "fetchMedia", "read", twilio_files.pointed),
        Route("GET", r"/v1/ContentAndApprovals", "listTemplates", "read", twilio_templates.listed),
        Route("GET", rf"{_ACCOUNT}\.json", "fetchAccount", "read", _account),
        Route("GET", r"/store/(?P<stored>\w+)", "store", "read", twilio_files.stored),
    )

    # --- webhooks ---------------------------------------------------------------------------------

    def _target(self, account: Account, url: str) -> Target:
        called, policy = retries_of(url)

        def pack(events: list[Json]) -> tuple[dict[str, str], bytes]:
            return signed(account.secret, called, events[0]["fields"])

        return Target(f"{self.name}:{account.id}", self.name, called, policy, lambda: 1, pack, lambda _: None)

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """As a call to the account's own address is signed."""
        return signed(account.secret, account.target.url if account.target else "", events[0]["fields"])

    def tell(self, account: Account, kind: str, event: Json, *, after: float = 0.0) -> None:
        """Messages go to the account's address, receipts to the one that their message named."""
        if event.get("callback"):
            self.hub.outbox.put(self._target(account, event["callback"]), kind, event, after)
        else:
            super().tell(account, kind, event, after=after)

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """An incoming message."""
        post.more["from"], post.more["to"] = place.id, account.more["senders"][channel_of(place.id)]
        return {"id": post.id, "fields": arrival(account, place, post, account.more["base"])}

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """A status callback, where the message named an address for it; carriers do not say whether an SMS was read."""
        if fault is not None:
            post.more["error"] = int(fault.error_code) if fault.error_code.isdecimal() else 30008
        if not post.more["callback"] or (level == "read" and not channel_of(place.id)):
            return None
        state = "undelivered" if level == "failed" else level
        return {"id": f"{post.id}:{state}", "fields": news(account, post, state), "callback": post.more["callback"]}

    def blocks(self, account: Account, place: Conversation) -> Json | None:
        """STOP and START are messages with a mark. WhatsApp tells nothing of a block."""
        if channel_of(place.id):
            return None
        word = "STOP" if place.blocked else "START"
        post = self.new_post("text", mine=True, text=word)
        post.more["fields"] = {"OptOutType": word}
        place.posts.append(post)
        return self.told(account, place, post)

    # --- the contact --------------------------------------------------------------------------------

    def new_id(self) -> str:
        """SM and 32 hex digits."""
        return f"SM{self.hub.ids.hex_token(32)}"

    def keep(self, account: Account, file: Upload) -> str:
        """ME and 32 hex digits."""
        id = f"ME{self.hub.ids.hex_token(32)}"
        account.files[id] = file
        return id

    def more_acts(self) -> dict[str, Act]:
        """A WhatsApp contact taps a button of a template."""

        def button(conversation: str, body: Json, request: Request) -> Json:
            if not channel_of(conversation):
                raise ValueError("an SMS has no buttons")
            post = self.new_post("text", mine=True, text=text(body, "text"))
            post.more["fields"] = {"ButtonText": post.text, "ButtonPayload": text(body, "payload"), "MessageType": "button"}
            return {"id": self.writes(conversation, post).id}

        def location(conversation: str, body: Json, request: Request) -> Json:
            if not channel_of(conversation):
                raise ValueError("an SMS carries no place")
            shared: Json = self._shares_place(conversation, body, request)
            return shared

        return {"button": button, "location": location}

    def seed(self, contact: str) -> tuple[Account, Json]:
        """An account whose Messaging Service answers by SMS and by WhatsApp, with a contact on both."""
        ids, count = self.hub.ids, len(self.accounts)
        sid, service, token = f"AC{ids.hex_token(32)}", f"MG{ids.hex_token(32)}", ids.hex_token(32)
        senders = {"": f"+1555010{count:04d}", "whatsapp": f"whatsapp:+1555010{count:04d}"}
        account = Account(sid, "Demo desk", sid, token, token)
        account.more = {"service": service, "senders": senders, "sent": {}, "status": "active", "base": "https://api.twilio.com"}
        account.more["templates"] = {each["sid"]: each for each in twilio_templates.seeded(ids)}
        for address, name in ((f"+1555019{count:04d}", contact), (f"whatsapp:+1555019{count:04d}", f"{contact} (WhatsApp)")):
            account.conversations[address] = Conversation(address, name, heard=self.hub.now())
        return account, {"account_sid": sid, "auth_token": token, "sender": service}


def _kind(url: str) -> str:
    return kind_of(mimetypes.guess_type(url.partition("?")[0])[0] or "") if url else "text"


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    value: Any = query.get(name, "")
    return min(max(int(value), 0 if name == "Page" else 1), 1000) if value.isdecimal() else default
