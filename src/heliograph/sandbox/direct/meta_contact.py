"""How the simulated Messenger and Instagram tell a business what happened, and what a contact does there.

Source: Meta's reference of webhook events.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from heliograph.sandbox.direct.meta_platform import MetaService, signed
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.outbox import RetryPolicy
from heliograph.sandbox.service import Act, text
from heliograph.sandbox.wire import Json, Request

#: The app of Meta's own inbox, in which a person of the business may answer beside us.
INBOX_APP = 263902037430900


class MetaContact(MetaService):
    """The contact's side of a Page or an account."""

    #: Nothing is said of how many attempts; failures for an hour unsubscribe the app (Messenger), or are given up after 36 hours.
    retries: ClassVar[RetryPolicy] = RetryPolicy((1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0), frozenset(), 20.0)
    batch: ClassVar[int] = 10

    #: What a webhook calls the object.
    object: ClassVar[str]
    #: Whether an echo repeats the metadata of its message.
    echo_metadata: ClassVar[bool]

    # --- webhooks -----------------------------------------------------------------------------------

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """Signed as sent: Meta escapes all that is not ASCII, and slashes."""
        entry = {"id": account.id, "time": self.hub.now() // 1000, "messaging": events}
        body = json.dumps({"object": self.object, "entry": [entry]}, separators=(",", ":")).replace("/", "\\/").encode()
        return signed(account.secret, body), body

    def event(self, account: Account, place: Conversation, kind: str, value: Any, *, ours: bool = False, at: int = 0) -> Json:
        """What an event is beside its own content. `ours`: the business is the sender."""
        pair = ({"id": account.id}, {"id": place.id}) if ours else ({"id": place.id}, {"id": account.id})
        return {"sender": pair[0], "recipient": pair[1], "timestamp": (at or self.hub.now()) // 1000, kind: value}

    def message(self, account: Account, post: Post) -> Json:
        """A message as events show it."""
        shown: Json = {"mid": post.id}
        if post.text and post.kind != "location":
            shown["text"] = post.text
        if post.file or post.url:
            url = post.url or f"{account.more.get('origin', 'http://sandbox.invalid')}/{self.name}/files/{post.file}"
            shown["attachments"] = [{"type": post.kind, "payload": {"url": url}}]
        return {**shown, **post.more.get("message", {})}

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """See DirectService."""
        return self.event(account, place, "message", self.message(account, post), at=post.at)

    def echo(self, account: Account, place: Conversation, post: Post, *, app: int, metadata: str = "") -> Json:
        """The event that the business has sent `post`, by whichever app."""
        shown = {**self.message(account, post), "is_echo": True, "app_id": app}
        given = post.more.get("attachment")
        if isinstance(given, dict) and given.get("type") == "template":
            shown = {**shown, "attachments": [given]}
            shown.pop("text", None)
        if metadata and self.echo_metadata:
            shown["metadata"] = metadata
        return self.event(account, place, "message", shown, ours=True, at=post.at)

    # --- the contact --------------------------------------------------------------------------------

    def new_id(self) -> str:
        """As Messenger's look."""
        return f"m_{self.hub.ids.object_id()}{self.hub.ids.token(40)}"

    def more_acts(self) -> dict[str, Act]:
        """A button of ours, a sign on a message, an edited or deleted message; and the business's own inbox beside us."""
        return {
            "file": self._file,
            "postback": self._postback,
            "reaction": self._reaction,
            "edit": self._edit,
            "inbox": self._inbox,
        }

    def _file(self, conversation: str, body: Json, request: Request) -> Json:
        account, _ = self.find(conversation)
        account.more.setdefault("origin", request.origin)
        return self._sends_file(conversation, body, request)

    def _postback(self, conversation: str, body: Json, _: Request) -> Json:
        account, place = self.find(conversation)
        post = self.new_post("text", mine=True, text=text(body, "title"))
        place.posts.append(post)
        place.heard = post.at
        pressed = {"mid": post.id, "title": post.text, "payload": str(body.get("payload") or post.text)}
        self.tell(account, "postback", self.event(account, place, "postback", pressed, at=post.at))
        self.hub.changed()
        return {"id": post.id}

    def _reaction(self, conversation: str, body: Json, _: Request) -> None:
        account, place = self.find(conversation)
        post = _of(place.posts, body)
        sign = {"mid": post.id, "action": "react", **_sign(str(body.get("emoji") or "❤️"))}
        self.tell(account, "reaction", self.event(account, place, "reaction", sign))

    def _edit(self, conversation: str, body: Json, _: Request) -> Json:
        account, place = self.find(conversation)
        post = _of([each for each in place.posts if each.mine and each.kind == "text"], body)
        post.text = text(body, "text")
        post.more["edits"] = int(post.more.get("edits", 0)) + 1
        edit = {"mid": post.id, "text": post.text, "num_edit": post.more["edits"]}
        self.tell(account, "message_edit", self.event(account, place, "message_edit", edit))
        self.hub.changed()
        return {"id": post.id}

    def _inbox(self, conversation: str, body: Json, _: Request) -> Json:
        """A person of the business answers in Meta's own inbox."""
        account, place = self.find(conversation)
        post = self.new_post("text", mine=False, text=text(body, "text"))
        place.posts.append(post)
        self.tell(account, "echo", self.echo(account, place, post, app=INBOX_APP))
        self.hub.changed()
        return {"id": post.id}


def _sign(emoji: str) -> Json:
    """Meta has a word for a few signs, and "other" for all the rest."""
    return {"reaction": {"❤️": "love", "👍": "like", "👎": "dislike"}.get(emoji, "other"), "emoji": emoji}


def _of(posts: Sequence[Post], body: Json) -> Post:
    """The post that `id` names, else the last one. Raises LookupError."""
    found = [post for post in posts if body.get("id") in (None, post.id)]
    if not found:
        raise LookupError("no such message")
    return found[-1]
