"""The simulated Instagram messaging: one professional account, with the token of its linked Page.

Source: Meta's reference of Instagram messaging. Whether an echo repeats the metadata is not confirmed there; here it does not.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from heliograph.domain.split import utf8_bytes
from heliograph.sandbox.direct.meta_messaging import ROUTES, MetaMessaging
from heliograph.sandbox.direct.service import Call, Route
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault
from heliograph.sandbox.service import Act, text
from heliograph.sandbox.wire import Json, Request, Response

LIMIT = 25 * 1_048_576


class Instagram(MetaMessaging):
    """Under /instagram/v23.0/…; the answer to /me fits either login."""

    name = "instagram"
    title = "Instagram"
    object = "instagram"
    text_limit = 1000
    no_such_user = (2534014, "No matching Instagram user")
    window_closed = 2534022
    file_kinds: ClassVar[Mapping[str, int]] = {"image": 8 * 1_048_576, "audio": LIMIT, "video": LIMIT, "file": LIMIT}
    echo_metadata = False

    def measure(self, words: str) -> int:
        """See MetaMessaging."""
        return utf8_bytes(words)

    def me(self, call: Call) -> Response:
        """GET /me: the Page whose token it is with its account, or the account itself, by the fields that are asked for."""
        account, page = call.account, str(call.account.more["page_id"])
        if "user_id" in call.request.query.get("fields", "").split(","):
            return self.fields(call, {"id": f"app{account.id}", "user_id": account.id, "username": "demo.shop"})
        return self.fields(call, {"id": page, "name": account.name, "instagram_business_account": {"id": account.id}})

    routes: ClassVar[Sequence[Route]] = (Route("GET", r"(?:/v\d+\.\d+)?/me", "get_me", "read", me), *ROUTES)

    def message(self, account: Account, post: Post) -> Json:
        """What Meta cannot show to a business, such as a place, is only said to be there."""
        shown = super().message(account, post)
        return {**shown, "is_unsupported": True} if post.place else shown

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """Only that a message was seen is told, by message."""
        return self.event(account, place, "read", {"mid": post.id}) if level == "read" else None

    def new_id(self) -> str:
        """As Instagram's look."""
        return f"aWdfZAG1faXRlbToxOk{self.hub.ids.object_id()}{self.hub.ids.token(60)}ZD"

    def more_acts(self) -> dict[str, Act]:
        """Stories, and messages that are taken back."""
        return {**super().more_acts(), "story_reply": self._story_reply, "story_mention": self._story_mention, "unsend": self._unsend}

    def _story_reply(self, conversation: str, body: Json, _: Request) -> Json:
        story = {"reply_to": {"story": {"url": "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1", "id": "1"}}}
        post = self.new_post("text", mine=True, text=text(body, "text"), more={"message": story})
        return {"id": self.writes(conversation, post).id}

    def _story_mention(self, conversation: str, _: Json, __: Request) -> Json:
        mention = {"type": "story_mention", "payload": {"url": "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=2"}}
        post = self.new_post("story", mine=True, more={"message": {"attachments": [mention]}})
        return {"id": self.writes(conversation, post).id}

    def _unsend(self, conversation: str, body: Json, _: Request) -> None:
        account, place = self.find(conversation)
        mine = [post for post in place.posts if post.mine and body.get("id") in (None, post.id)]
        if not mine:
            raise LookupError("no such message")
        place.posts.remove(mine[-1])
        self.tell(account, "message", self.event(account, place, "message", {"mid": mine[-1].id, "is_deleted": True}))
        self.hub.changed()

    def seed(self, contact: str) -> tuple[Account, Json]:
        """See DirectService."""
        number = len(self.accounts) + 1
        id, page, app = f"178414{number:011d}", f"11{number:013d}", f"91{number:013d}"
        token = f"EAA{self.hub.ids.token(60)}"
        account = Account(id, "demo.shop", id, token, self.hub.ids.hex_token(32))
        account.more = {"app_id": app, "page_id": page, "verify_token": self.hub.ids.token(20)}
        person = str(self.hub.ids.number(10**15, 10**16))
        account.conversations[person] = Conversation(person, contact)
        config = {"account_id": id, "page_id": page, "token": token, "app_id": app, "verify_token": account.more["verify_token"]}
        return account, config
