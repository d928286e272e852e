"""The public status page as data: everything that its pages, feeds and JSON are drawn from, and nothing else."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from heliograph.domain.incident import Incident, Phase, Severity
from heliograph.projections.facts import Facts
from heliograph.projections.postmortem import Postmortem, Remedy


class Topic(StrEnum):
    """What an update is about."""

    #: The incident has reached a phase; its words come from facts.
    PHASE = "phase"
    #: An operator typed something.
    NOTE = "note"
    #: The post-mortem was published.
    POSTMORTEM = "postmortem"
    #: A remedy was completed.
    REMEDY = "remedy"


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the public was told, as kept. `facts`: those of its moment. `text` is what somebody typed, in `locale`."""

    id: str
    incident: str
    topic: Topic
    phase: str
    #: Microseconds UTC.
    at: int
    #: Sequence number of the event that it tells; 0 for an act of a person.
    seq: int = 0
    facts: dict[str, str | int] = {}
    text: str = ""
    locale: str = "en"
    translations: dict[str, str] = {}

    @property
    def told(self) -> Facts:
        """The facts of its moment."""
        return facts_of(self.facts)

    def words(self, locale: str) -> tuple[str, bool]:
        """What was typed, and whether it is in that language."""
        if locale == self.locale:
            return self.text, True
        found = self.translations.get(locale, "")
        return (found, True) if found else (self.text, not self.text)


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """A comment by somebody signed in. `name` is the name they chose to sign with, `text` is plain."""

    id: str
    incident: str
    account: str
    agent: str
    name: str
    text: str
    at: int
    hidden: bool = False


class Case(NamedTuple):
    """One incident. `updates` newest first, `remarks` oldest first; `postmortem` only where it is published."""

    incident: Incident
    #: As they are now.
    facts: Facts
    updates: tuple[Update, ...]
    remarks: tuple[Remark, ...]
    comments_closed: bool
    #: Names of the providers that it impairs.
    providers: tuple[str, ...]
    postmortem: Postmortem | None
    #: When the public was told that it can read the post-mortem; 0 where nothing was promised.
    promised_at: int
    remedies: tuple[Remedy, ...]

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.incident.phase not in (Phase.RESOLVED, Phase.POSTMORTEM)

    @property
    def changed_at(self) -> int:
        """When something about it last changed."""
        times = [self.incident.declared_at, *(update.at for update in self.updates), *(remark.at for remark in self.remarks)]
        return max(times)


class Board(NamedTuple):
    """All of it, at one moment. `providers`: titles by name, those in use. `url`: where the live pages are, "" unknown."""

    at: int
    name: str
    url: str
    #: Since when this installation exists.
    since: int
    providers: Mapping[str, str]
    #: Newest first.
    cases: tuple[Case, ...]
    #: Whether people can follow by mail.
    mails: bool = False

    @property
    def current(self) -> tuple[Case, ...]:
        """Those that go on."""
        return tuple(case for case in self.cases if case.open)

    @property
    def changed_at(self) -> int:
        """When something last changed; the installation's start where nothing ever did."""
        return max((case.changed_at for case in self.cases), default=self.since)

    def case(self, id: str) -> Case | None:
        """One of them."""
        return next((case for case in self.cases if case.incident.id == id), None)

    def gravity(self, provider: str = "") -> Severity | None:
        """The gravest severity of what goes on, of all or of one provider; None while all is well."""
        found = [case.incident.severity for case in self.current if impairs(case) and (not provider or provider in case.providers)]
        return max(found, key=list(Severity).index, default=None)


def impairs(case: Case) -> bool:
    """Whether sending is impaired now: not any more once it was mitigated, even where what waited still goes out."""
    return case.open and not case.incident.mitigated_at


def facts_of(kept: Mapping[str, str | int]) -> Facts:
    """A fact record as it was kept; what an older version did not count is 0 or ""."""
    blank: dict[str, str | int] = {name: "" if kind is str else 0 for name, kind in Facts.__annotations__.items()}
    return Facts(**{name: kept.get(name, default) for name, default in blank.items()})  # type: ignore[arg-type]


def public_facts(facts: Facts) -> Facts:
    """Without what only operators read."""
    return facts._replace(release="", variable="")
