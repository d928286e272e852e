"""What a provider must bring to be put under the contract."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heliograph.domain.reasons import Reason
from heliograph.ports.http import Http
from heliograph.ports.provider import Address, Part, Provider, RawRequest, SendResult
from heliograph.providers.registry import configured
from tests.providers.misbehaving import Behaviour

#: In every secret of every case. It must come out nowhere but on the wire.
CANARY = "canary7f3a"
#: In every text of every case. It may come out in contents only.
BODY_CANARY = "bodycanary91c"

KEY = "dlv_01h9key"
NAME = "Ada Lovelace"


class Standing:
    """A clock that stands still, where a provider's requests say when they were made."""

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        return self._at

    async def sleep(self, _: float) -> None:
        raise AssertionError("no provider sleeps")


NOON = Standing(1_772_359_200_000_000)


def text_of(part: Part) -> str:
    """The text of a part whose payload has it at the top."""
    return str(part.payload.get("text", ""))


def as_json(body: Any) -> bytes:
    """A webhook's body, for providers that send JSON."""
    return json.dumps(body).encode()


@dataclass(frozen=True)
class Documented:
    """One documented error: what the provider answers and what that must become."""

    name: str
    behaviour: Behaviour
    outcome: type[SendResult]
    reason: Reason
    after: float | None = None
    readdress: str | None = None
    #: Whether it speaks of the conversation alone.
    lane: bool = False


@dataclass(frozen=True)
class Case:
    """One provider under the contract."""

    #: Configuration without `base_url`; every secret holds CANARY. Two webhook secrets are live.
    config: Mapping[str, str]
    webhook_secrets: tuple[str, str]
    #: Turns the misbehaving server's address into `base_url`.
    base_url: Callable[[str], str]
    to: Address
    #: The answer to a text that was taken, and the id that it gives.
    accepted: Behaviour
    provider_id: str
    #: The answer by which `check` is satisfied, and whose credentials they are.
    valid: Behaviour
    identity: str
    errors: tuple[Documented, ...]
    #: A webhook call that carries `body` and proves itself with `secret`.
    signed: Callable[[bytes, str], RawRequest]
    #: The official model of a webhook body; raises if it is none.
    judge: Callable[[Any], None]
    #: Capability "names": the answer that calls a contact `NAME`.
    named: Behaviour | None = None
    #: Names of fixtures that the official model does not know.
    unjudged: frozenset[str] = field(default_factory=frozenset)
    #: The text that a part puts before the contact, "" where it has none; captions of files excluded.
    text_of: Callable[[Part], str] = text_of
    #: A fixture's body as the bytes of a webhook call, and how a character can be broken in them.
    encode: Callable[[Any], bytes] = as_json
    broken: tuple[bytes, ...] = (b"\\ud83d", b"\xff", b"\\u0000")
    #: The module whose CODES is the error table; "" is the provider's own.
    codes: str = ""
    #: How many forms of proof each secret is compared in, where the provider does not say which it uses.
    proofs: int = 1
    #: What of KEY the provider is given, where it wants ids of a form of its own.
    key_on_wire: str = KEY

    def build(self, name: str, http: Http, server: str) -> Provider:
        """The provider, pointed at a server."""
        config = {**self.config, "base_url": self.base_url(server), "webhook_url": f"https://desk.example/hooks/{name}/chn_1"}
        return configured(name, config, http, NOON)
