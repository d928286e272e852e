"""What a simulated messaging service remembers: accounts of businesses, conversations, posts and files."""

from dataclasses import dataclass, field

from heliograph.sandbox.outbox import Target
from heliograph.sandbox.wire import Json, Upload


@dataclass(slots=True)
class Post:
    """One message of a conversation. `mine`: the contact wrote it. `kind` is "text", "image", "audio", "video", "file", "location" …"""

    id: str
    at: int
    mine: bool
    kind: str
    text: str = field(default="", repr=False)
    #: A file of the account by its id, or the address that a business gave for it.
    file: str = ""
    url: str = field(default="", repr=False)
    place: Json = field(default_factory=dict, repr=False)
    #: What the phone shows beside (items, actions); and what the service's own API says of it beyond all this.
    shown: Json = field(default_factory=dict, repr=False)
    more: Json = field(default_factory=dict, repr=False)
    read: bool = False
    #: Refused after it was taken: the contact never sees it.
    refused: bool = False


@dataclass(slots=True)
class Conversation:
    """The thread with one contact. `id` is what the business sends to."""

    id: str
    name: str = field(repr=False)
    posts: list[Post] = field(default_factory=list, repr=False)
    blocked: bool = False
    typing_until: int = 0
    #: When the contact wrote last, microseconds; 0 never.
    heard: int = 0
    more: Json = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Account:
    """A business's account at the service (a phone number, a page, a bot). `key` names its credential in faults and the journal."""

    id: str
    name: str
    key: str
    token: str = field(repr=False)
    #: What signs or carries webhook calls.
    secret: str = field(repr=False)
    conversations: dict[str, Conversation] = field(default_factory=dict, repr=False)
    #: By id: media type and bytes.
    files: dict[str, Upload] = field(default_factory=dict, repr=False)
    target: Target | None = None
    revoked: bool = False
    more: Json = field(default_factory=dict, repr=False)
