"""What a process can speak to the public through, as the operator has set it; nothing set is nothing said."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from heliograph.ports.announce import Announce, Mail
from heliograph.ports.runtime import Vault


@dataclass(frozen=True, slots=True)
class Outlets:
    """`name` is what the status page calls the installation, `url` where it is reached ("" unknown), `titles` all providers' names."""

    vault: Vault = field(repr=False)
    titles: Mapping[str, str]
    name: str = "Heliograph"
    url: str = ""
    #: None: nobody is mailed, and the page offers no mails.
    mail: Mail | None = field(default=None, repr=False)
    announce: Announce | None = field(default=None, repr=False)
    #: Addresses of chat rooms and social feeds, with secrets in them.
    targets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def mails(self) -> bool:
        """Whether people can follow by mail: their links need an address of ours."""
        return self.mail is not None and bool(self.url)
