"""What stands for a provider whose secrets do not open: it renders, and says about everything else that the credentials are bad.

So a wrong master key costs no reply: replies are accepted, and the channel goes on hold like for any other bad credential.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from heliograph.domain.content import Content
from heliograph.domain.outcomes import CheckResult, FindResult, Inconclusive, Invalid, Refused, SendResult
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Address, BadSignature, Inbound, Part, Provider, RawRequest

CODE = "sealed"


class Blanks(dict[str, str]):
    """A configuration in which every secret is a blank: enough to render with."""

    def __missing__(self, name: str) -> str:
        return "-"


class Sealed:
    """A provider in everything but its secrets; `inner` was built from Blanks."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner
        self.spec = replace(inner.spec, capabilities=frozenset())

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """As ever: it needs no secret."""
        return self._inner.render(contents)

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """Nothing is sent."""
        return Refused(Reason.BAD_CREDENTIALS, CODE)

    async def check(self) -> CheckResult:
        """They are not even readable."""
        return Invalid(Reason.BAD_CREDENTIALS, CODE)

    async def find(self, to: Address, key: str, since: int) -> FindResult:
        """Nobody can be asked."""
        return Inconclusive(Reason.BAD_CREDENTIALS, CODE)

    def verify(self, request: RawRequest) -> None:
        """Without the secret nothing can be proved. Raises BadSignature."""
        raise BadSignature(CODE)

    def parse(self, request: RawRequest) -> list[Inbound]:
        """Never reached: nothing is verified."""
        return []


def blanks(config: Mapping[str, Any]) -> Blanks:
    """The plain fields, and a blank for whatever else is asked for."""
    return Blanks(config)
