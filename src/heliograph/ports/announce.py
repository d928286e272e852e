"""How the installation speaks to people outside its own pages: by mail, and by whatever chat or social service an operator names."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class NotTold(Exception):
    """The message did not get out. `final`: it never will to this address or target. The text names neither."""

    def __init__(self, words: str, *, final: bool = False) -> None:
        super().__init__(words)
        self.final = final


class Mail(Protocol):
    """Sends mail."""

    async def mail(self, to: str, subject: str, text: str, html: str, headers: Mapping[str, str]) -> None:
        """One mail to one address; "" in `html` for plain text alone. `headers` beside the usual ones. Raises NotTold."""
        ...


class Announce(Protocol):
    """Speaks to chat rooms, social feeds and pagers."""

    async def announce(self, targets: Sequence[str], title: str, text: str) -> None:
        """Tell all targets (addresses of services, with their secrets in them). Raises NotTold if one did not take it."""
        ...
