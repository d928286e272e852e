"""What the simulated Telegram remembers: bots, chats, files, and the updates that wait for a bot."""

from dataclasses import dataclass, field

from heliograph.sandbox.outbox import Target
from heliograph.sandbox.wire import Json


@dataclass(slots=True)
class StoredFile:
    """A file by its file_id."""

    id: str
    path: str
    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(slots=True)
class ChatMessage:
    """One message of a chat, as the phone and the bot see it."""

    id: int
    date: int
    from_bot: bool
    content: Json = field(repr=False)
    edited: bool = False
    read: bool = False


@dataclass(slots=True)
class Chat:
    """A chat of one bot. `refusal` is why the bot may not write, "" if it may; `migrated_to` the id it was upgraded to."""

    id: int
    kind: str
    first_name: str = field(repr=False)
    username: str = field(repr=False)
    user_id: int
    messages: list[ChatMessage] = field(default_factory=list, repr=False)
    refusal: str = ""
    migrated_to: int | None = None
    typing_until: int = 0

    def to_json(self) -> Json:
        """As the API shows it."""
        if self.kind == "private":
            return {"id": self.id, "type": "private", **self.names()}
        return {"id": self.id, "type": self.kind, "title": f"{self.first_name} & co"}

    def names(self) -> Json:
        """The names of the person."""
        return {"first_name": self.first_name, **({"username": self.username} if self.username else {})}

    def user_json(self) -> Json:
        """The person, as the sender of a message."""
        return {"id": self.user_id, "is_bot": False, **self.names(), "language_code": "en"}


@dataclass(slots=True)
class Bot:
    """One bot. `token` is "<id>:<secret>"."""

    id: int
    token: str = field(repr=False)
    username: str
    name: str
    chats: dict[int, Chat] = field(default_factory=dict)
    updates: list[Json] = field(default_factory=list, repr=False)
    next_update: int = 1
    next_message: int = 1
    allowed: tuple[str, ...] = ()
    webhook: Target | None = None
    webhook_secret: str = field(default="", repr=False)
    last_error: Json = field(default_factory=dict)
    #: Raised by each getUpdates; an older one that still waits is ended with 409.
    poll: int = 0
    revoked: bool = False
    files: dict[str, StoredFile] = field(default_factory=dict, repr=False)

    def to_json(self) -> Json:
        """As the API shows it."""
        return {
            "id": self.id, "is_bot": True, "first_name": self.name, "username": self.username, "can_join_groups": True,
            "can_read_all_group_messages": False, "supports_inline_queries": False,
        }  # fmt: skip

    def sender(self) -> Json:
        """The bot, as the sender of a message."""
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def message_json(self, chat: Chat, message: ChatMessage) -> Json:
        """As the API shows a message."""
        return {
            "message_id": message.id, "from": self.sender() if message.from_bot else chat.user_json(), "chat": chat.to_json(),
            "date": message.date // 1_000_000, **message.content,
        }  # fmt: skip
