"""Events of an incident about who was told outside the product: operators and admins. Counts only, never who."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain.event import Event


@dataclass(frozen=True, slots=True)
class OperatorsPaged(Event):
    """A pager, chat room or alert manager of the operators took the news. `stage` is the severity then, or "resolved"."""

    kind: ClassVar[str] = "operators_paged"
    sentence: ClassVar[str] = "Operators were paged ({stage})."
    stage: str
    #: How many targets have it by now, and how many there are.
    told: int
    targets: int


@dataclass(frozen=True, slots=True)
class PageRefused(Event):
    """A target of the operators does not take what it is told; it is tried again unless `final`."""

    kind: ClassVar[str] = "page_refused"
    sentence: ClassVar[str] = "A pager did not take the news ({stage})."
    stage: str
    final: bool


@dataclass(frozen=True, slots=True)
class AdminMailed(Event):
    """An admin of an affected account, who was not signed in, was told by mail."""

    kind: ClassVar[str] = "admin_mailed"
    sentence: ClassVar[str] = "An admin who was away was told by mail."
