"""The simulated Messenger: one Page an account, with delivery and read events and echoes that repeat the metadata.

Source: Meta's reference of the Messenger Platform.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from heliograph.domain.split import utf16_units
from heliograph.sandbox.direct.meta_messaging import ROUTES, MetaMessaging
from heliograph.sandbox.direct.service import Call, Route
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault
from heliograph.sandbox.wire import Json, Response

LIMIT = 25 * 1_048_576


class Messenger(MetaMessaging):
    """Under /messenger/v23.0/…"""

    name = "messenger"
    title = "Messenger"
    object = "page"
    text_limit = 2000
    no_such_user = (2018001, "No matching user found")
    window_closed = 2018278
    file_kinds: ClassVar[Mapping[str, int]] = {"image": LIMIT, "audio": LIMIT, "video": LIMIT, "file": LIMIT}
    echo_metadata = True

    def measure(self, words: str) -> int:
        """See MetaMessaging."""
        return utf16_units(words)

    def me(self, call: Call) -> Response:
        """GET /me: whose token it is."""
        return self.fields(call, {"id": call.account.id, "name": call.account.name})

    routes: ClassVar[Sequence[Route]] = (Route("GET", r"(?:/v\d+\.\d+)?/me", "get_me", "read", me), *ROUTES)

    def message(self, account: Account, post: Post) -> Json:
        """A place that a contact shares is an attachment here."""
        shown = super().message(account, post)
        if post.place:
            shown["attachments"] = [{"type": "location", "title": "Pinned Location", "payload": {"coordinates": post.place}}]
        return shown

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """Delivered is told by message and moment, read by moment only. That something failed is never told."""
        moment = post.at // 1000
        if level == "delivered":
            delivery = self.event(account, place, "delivery", {"mids": [post.id], "watermark": moment})
            del delivery["timestamp"]
            return delivery
        if level == "read":
            return self.event(account, place, "read", {"watermark": max(each.at for each in place.posts) // 1000 + 1})
        return None

    def seed(self, contact: str) -> tuple[Account, Json]:
        """See DirectService."""
        number = len(self.accounts) + 1
        page, app = f"10{number:013d}", f"90{number:013d}"
        token = f"EAA{self.hub.ids.token(60)}"
        account = Account(page, "Demo Page", page, token, self.hub.ids.hex_token(32))
        account.more = {"app_id": app, "verify_token": self.hub.ids.token(20)}
        person = str(self.hub.ids.number(10**15, 10**16))
        account.conversations[person] = Conversation(person, contact)
        return account, {"page_id": page, "token": token, "app_id": app, "verify_token": account.more["verify_token"]}
