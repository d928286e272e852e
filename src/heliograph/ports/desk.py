"""The contract of a desk that a team keeps beside ours: comments go there, replies come from there, and it is told what became of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Door:
    """How one account's desk is reached. `instance` is the desk's own id of the connection; `token` is secret.

    Without a token the desk cannot be called: it asks for what is new, and that is all.
    """

    base: str
    instance: str
    token: str = dataclasses.field(repr=False)


# --- to the desk ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """One comment for the desk. `thread` groups items into one ticket there; `id` is ours, and makes a repeat safe."""

    id: str
    thread: str
    text: str = field(repr=False)
    #: Microseconds.
    at: int
    author: str
    author_name: str = field(repr=False)
    #: Addresses at which the desk can fetch the files; whoever knows one may read it.
    files: tuple[str, ...] = field(default=(), repr=False)
    #: Only for agents, never shown to the contact.
    internal: bool = False


class Took(StrEnum):
    """What the desk did with one item."""

    #: It has it now, or had it already.
    DONE = "done"
    #: It did not look at it, because an earlier one of the same call failed.
    HALTED = "halted"
    #: It tried and failed.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """The desk's word on one item. `code` is its own, a short word."""

    id: str
    took: Took
    code: str = ""


class Fault(StrEnum):
    """Why a call to the desk came to nothing."""

    #: The token is not accepted, or the connection is gone there: a person must connect it anew.
    CREDENTIALS = "credentials"
    #: It asks to slow down.
    RATE_LIMITED = "rate_limited"
    #: Out of order, out of reach, or silent. Nothing is lost by asking again.
    DOWN = "down"
    #: It calls this very request wrong; the same request never gets better.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call that came to nothing. `code` is short and never content; `wait` is seconds that the desk asks for, 0 for none."""

    fault: Fault
    code: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file of the desk's."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


# --- from the desk ----------------------------------------------------------------------------


class Malformed(ValueError):
    """A call of the desk that cannot be one. The message says what is wrong and never repeats content."""


@dataclass(frozen=True, slots=True)
class Written:
    """A reply that an agent wrote in the desk. Empty strings for what the desk did not say."""

    #: The link that it names, and the secret that proves it.
    link: str
    secret: str = field(repr=False)
    #: The desk's id of the request: the same when it asks again.
    request: str
    thread: str
    parent: str
    text: str = field(repr=False)
    files: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The desk asks for what is new since `state`, which we have made ourselves and it has kept; "" at first."""

    link: str
    secret: str = field(repr=False)
    state: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the desk put an item of ours, or which of its comments became a reply of ours: the desk's own ids."""

    item: str
    ticket: int
    comment: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection was switched off (`for_good` False) or removed there. `link` and `secret` are "" where it did not say."""

    link: str
    secret: str = field(repr=False)
    for_good: bool
    code: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """The connection was switched on there."""

    link: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Anything else that the desk tells of; `kind` is a short word of its own. `failed`: it speaks of a failure."""

    kind: str
    failed: bool = False


Happening = Placed | Ended | Begun | Mentioned


@dataclass(frozen=True, slots=True)
class Visit:
    """An admin of the desk wants to connect it, and is to be sent back to `back` with what the desk shall keep."""

    base: str
    subdomain: str
    locale: str
    instance: str
    #: As good as a password: it takes what the desk will believe.
    back: str = field(repr=False)
    token: str = field(repr=False)
    name: str = ""
    #: The link that it kept from before, "" for a new one.
    link: str = ""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Our own addresses, for the desk to call."""

    admin: str
    pull: str
    reply: str
    click: str
    health: str
    events: str


class Desk(Protocol):
    """One kind of desk. Like a provider it translates and never decides: no retry, no sleep, no database, no clock."""

    #: As in a link: "zendesk".
    name: str
    #: As people call it.
    title: str
    #: Most items of one call.
    batch: int

    async def push(self, door: Door, items: Sequence[Item], *, request: str) -> list[Taken] | Trouble:
        """Hand items over, in order; the same ones again are taken once. An answer for each, in the same order."""
        ...

    async def report(self, door: Door, item: str, words: str, *, request: str) -> Trouble | None:
        """Say on the desk's own comment that the reply `item` did not get through. None where it was taken."""
        ...

    async def check(self, door: Door) -> Trouble | None:
        """Prove the token, and change nothing. None where it is good."""
        ...

    async def fetch(self, door: Door, url: str, *, limit: int) -> Fetched | Trouble:
        """A file of one of its comments, of at most `limit` bytes. Only the desk itself is shown the token."""
        ...

    def written(self, body: bytes) -> Written:
        """Read a reply. Pure. Raises Malformed."""
        ...

    def wanted(self, body: bytes) -> Wanted:
        """Read the question what is new. Pure. Raises Malformed."""
        ...

    def happenings(self, body: bytes) -> list[Happening]:
        """Read what happened there. Pure, and total over what it does not know. Raises Malformed where it is no such call at all."""
        ...

    def visit(self, body: bytes) -> Visit:
        """Read an admin's visit. Raises Malformed for one that is not the desk's, or leads back to somewhere else."""
        ...

    def offer(self, items: Sequence[Item], state: str) -> Mapping[str, Any]:
        """The answer to `wanted`."""
        ...

    def manifest(self, endpoints: Endpoints) -> Mapping[str, Any]:
        """What the desk reads to learn of us."""
        ...

    def kept(self, link: str, secret: str) -> str:
        """What the desk shall keep and show again with each call."""
        ...
