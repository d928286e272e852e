"""What can be told of a store before it is opened: whose it is, what it noted, how it is migrated, and which engine keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heliograph.storage.migrations import Applied

#: Documents of the installation that a process must know before it can say who it is.
NOTES = "installation"


@dataclass(frozen=True, slots=True)
class Glance:
    """A look from outside; nothing is changed, and an old schema is no obstacle. An empty place has no `installation`."""

    installation: str = ""
    #: Documents of kind NOTES by id, as JSON.
    notes: Mapping[str, str] = field(default_factory=dict, repr=False)
    applied: Sequence[Applied] = ()
    #: The engine's own identity: another one means that the same rows are kept elsewhere by now.
    engine: str = ""
    #: The server's clock, microseconds; 0 where there is no server.
    clock: int = 0
    #: When something was last written, microseconds, as far as that is quickly told; 0 for never.
    last_write_at: int = 0
    #: A number that no later event is below.
    last_event: int = 0


NOTHING = Glance()
