"""What facts make of incidents: which troubles belong together, whose they are, and when an incident moves on. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from heliograph.domain import incident_events as ie
from heliograph.domain.detectors.cusum import DEFAULT
from heliograph.domain.event import Event
from heliograph.domain.incident import Incident, Phase, Severity, Subject, evolve
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND


class Family(StrEnum):
    """Reasons that have one cause in common."""

    #: A key, token or identity: known at once, and it does not heal by itself.
    CREDENTIAL = "credential"
    #: The provider refuses this account: permission, payment.
    PERMISSION = "permission"
    #: The provider or the way to it.
    UPSTREAM = "upstream"


FAMILY: dict[str, Family] = {
    Reason.BAD_CREDENTIALS: Family.CREDENTIAL,
    Reason.WRONG_IDENTITY: Family.CREDENTIAL,
    Reason.NOT_PERMITTED: Family.PERMISSION,
    Reason.PROVIDER_DOWN: Family.UPSTREAM,
    Reason.NETWORK: Family.UPSTREAM,
    Reason.NO_ANSWER: Family.UPSTREAM,
}


class Patience(NamedTuple):
    """How long to look before acting, microseconds."""

    #: Trouble that no probe has confirmed is an incident after this; shorter drops are none.
    dwell: int = 2 * SECOND
    #: It is told in public after this, if it is not over by then.
    announce: int = 10 * SECOND
    #: It is over when everything affected is settled or asked and this has passed since all works again.
    quiet: int = 60 * SECOND
    #: Accounts whose own credentials die within this time of each other have a cause in common.
    together: int = 600 * SECOND


class Trouble(NamedTuple):
    """One thing that is unwell now. Times are microseconds."""

    subject: Subject
    #: A Reason.
    reason: str
    provider: str
    #: A probe or a proof agrees: no need to wait whether it passes.
    confirmed: bool
    detected_at: int
    #: Since when it is more than a passing state: see `due`.
    lasting_since: int
    #: Channels that are hit, as (account, channel).
    channels: frozenset[tuple[str, str]]
    #: The release at fault and its setting, where that is known.
    release: str = ""
    variable: str = ""

    @property
    def accounts(self) -> frozenset[str]:
        """Accounts that are hit."""
        return frozenset(account for account, _ in self.channels)

    @property
    def family(self) -> Family:
        """See Family; a reason that nobody expected here is nobody's own fault."""
        return family(self.reason)


class Cause(NamedTuple):
    """What troubles of one incident share. `account` "" is the installation; `provider` "" is several."""

    account: str
    provider: str
    family: Family


def family(reason: str) -> Family:
    """Which cause a reason speaks of."""
    return FAMILY.get(reason, Family.UPSTREAM)


def many(accounts: int) -> int:
    """How many accounts' own credentials must die together to be one cause: by chance that happens once in decades."""
    return 3 if accounts < 500 else 4


def group(troubles: Iterable[Trouble], *, accounts: int, together: int) -> dict[Cause, list[Trouble]]:
    """Which troubles have one cause, and whether it is an account's own or the installation's."""
    grouped: dict[Cause, list[Trouble]] = {}
    own: dict[tuple[Family, str], list[Trouble]] = {}
    for trouble in troubles:
        if not trouble.subject.account:
            grouped.setdefault(Cause("", trouble.provider, trouble.family), []).append(trouble)
        else:
            provider = trouble.provider if trouble.family is Family.UPSTREAM else ""
            own.setdefault((trouble.family, provider), []).append(trouble)
    for (kind, _), members in own.items():
        several = len({trouble.subject.account for trouble in members}) > 1
        wide = several if kind is Family.UPSTREAM else _wide(members, accounts, together)
        providers = {trouble.provider for trouble in members}
        for trouble in members:
            provider = trouble.provider if not wide or len(providers) == 1 else ""
            grouped.setdefault(Cause("" if wide else trouble.subject.account, provider, kind), []).append(trouble)
    return grouped


def _wide(members: Sequence[Trouble], accounts: int, together: int) -> bool:
    """Whether enough different accounts were hit within one stretch of time."""
    firsts: dict[str, int] = {}
    for trouble in members:
        account, since = trouble.subject.account, trouble.subject.since
        firsts[account] = min(firsts.get(account, since), since)
    times = sorted(firsts.values())
    wanted = many(accounts)
    return any(times[n + wanted - 1] - times[n] <= together for n in range(len(times) - wanted + 1))


def spread(failed: int, succeeded: int) -> bool:
    """Whether other accounts' messages fail too often, beside one account's provider trouble, for that to be its own.

    The balance of the detectors' sums: more than one in six. A busy installation has some failures at any time.
    """
    return failed * DEFAULT.failure > succeeded


def due(trouble: Trouble, *, now: int, patience: Patience) -> bool:
    """Whether it is more than a short drop."""
    return trouble.confirmed or now - trouble.lasting_since >= patience.dwell


def home(cause: Cause, troubles: Sequence[Trouble], incidents: Iterable[Incident]) -> Incident | None:
    """The incident that the troubles of a cause belong to, if there is one.

    One that has them as its subjects comes first, and the installation's before an account's: what is left of an outage belongs to it.
    """
    live = sorted((one for one in incidents if one.account in ("", cause.account)), key=lambda one: (one.account, one.number))
    wanted = {trouble.subject[:4] for trouble in troubles}
    for incident in live:
        if not incident.merged_into and wanted & {subject[:4] for subject in incident.subjects if not subject.until}:
            return incident
    return next((incident for incident in live if not incident.over and _fits(incident, cause, troubles)), None)


def _fits(incident: Incident, cause: Cause, troubles: Sequence[Trouble]) -> bool:
    if incident.account != cause.account and (incident.account or cause.family is not Family.UPSTREAM):
        return False
    if incident.release and any(trouble.release == incident.release for trouble in troubles):
        return True
    same = incident.provider == cause.provider or "" in (incident.provider, cause.provider)
    return same and family(incident.reason) is cause.family


def opened(number: int, cause: Cause, troubles: Sequence[Trouble], *, onset_at: int) -> list[Event]:
    """The first events of an incident."""
    first = min(troubles, key=lambda trouble: trouble.subject.since)
    detected = min(trouble.detected_at for trouble in troubles)
    return [ie.IncidentOpened(cause.account, Reason(first.reason), onset_at, detected, number, cause.provider)]


def joined(incident: Incident, troubles: Iterable[Trouble]) -> list[Event]:
    """What troubles add to an incident: subjects that are new to it, a relapse, a cause."""
    known = {subject[:4] for subject in incident.subjects}
    going_on = {subject[:3] for subject in incident.subjects if not subject.until}
    events: list[Event] = []
    for trouble in troubles:
        kind, account, id, since, until, oldest_at = trouble.subject
        if (kind, account, id, since) in known and not until and (kind, account, id) not in going_on:
            # The hold is the same one: what was tried as its end has failed.
            since = max(subject.until for subject in incident.subjects if subject[:3] == (kind, account, id))
        if (kind, account, id, since) not in known:
            known.add((kind, account, id, since))
            if incident.mitigated_at and not until and not events:
                events.append(ie.IncidentRelapsed())
            events.append(ie.IncidentJoined(kind, account, id, since, oldest_at))
            if until:
                events.append(ie.SubjectRecovered(kind, account, id, until))
        if trouble.release and (incident.release, incident.variable) != (trouble.release, trouble.variable or incident.variable):
            found = ie.CauseFound(Reason(trouble.reason), trouble.release, trouble.variable)
            incident = evolve(incident, found, 0)
            events.append(found)
    return events


def advance(
    incident: Incident, *, ends: Mapping[Subject, int], severity: Severity, waiting: bool, now: int, patience: Patience
) -> list[Event]:
    """How an incident that is not over moves on. `ends`: which of its subjects work again, and since when.

    `waiting`: something that it affects is neither settled nor asked. Both may be left out of account while the incident is new.
    """
    events: list[Event] = [ie.SubjectRecovered(*subject[:3], at) for subject, at in ends.items() if not subject.until]
    after = incident
    for event in events:
        after = evolve(after, event, now)
    if incident.over:
        return events
    if after.phase is Phase.INVESTIGATING and (after.release or family(after.reason) is not Family.UPSTREAM):
        events.append(ie.PhaseChanged(Phase.IDENTIFIED))
    if _graver(severity, after.severity) and "severity" not in after.corrected:
        events.append(ie.SeverityChanged(severity))
    ended = bool(after.subjects) and all(subject.until for subject in after.subjects)
    if ended and not after.mitigated_at:
        mitigated = ie.IncidentMitigated(max(subject.until for subject in after.subjects))
        events.append(mitigated)
        after = evolve(after, mitigated, now)
    if _to_announce(after, waiting=waiting, now=now, patience=patience):
        events.append(ie.IncidentAnnounced())
    if ended and not waiting and now - after.mitigated_at >= patience.quiet:
        events.append(ie.IncidentResolved())
    return events


def _to_announce(incident: Incident, *, waiting: bool, now: int, patience: Patience) -> bool:
    """A bad release is no flicker. Anything else is told once it has lasted, or while replies still wait for it."""
    if incident.account or incident.announced_at:
        return False
    lasts = not incident.mitigated_at or waiting
    return bool(incident.release) or (lasts and now - incident.onset_at >= patience.announce)


def _graver(one: Severity, other: Severity) -> bool:
    order = list(Severity)
    return order.index(one) > order.index(other)


def severity(hit: int, all_of_them: int) -> Severity:
    """By the share that is hit: of the installation's accounts, or of one account's channels."""
    if all_of_them and hit * 2 >= all_of_them:
        return Severity.CRITICAL
    if all_of_them and hit * 10 >= all_of_them:
        return Severity.MAJOR
    return Severity.MINOR


def merged(one: Incident, into: Incident) -> tuple[list[Event], list[Event]]:
    """The events of `one`, which ends, and of `into`, which takes its subjects. Raises ValueError for two that cannot be one."""
    if one.id == into.id or one.merged_into or into.merged_into:
        raise ValueError("An incident is merged once, and into another one that was not merged.")
    if into.account not in ("", one.account):
        raise ValueError("An account's incident takes in nothing of another account or of the installation.")
    known = {subject[:4] for subject in into.subjects}
    taken: list[Event] = []
    for subject in one.subjects:
        if subject[:4] not in known:
            taken.append(ie.IncidentJoined(*subject[:4], subject.oldest_at))
            if subject.until:
                taken.append(ie.SubjectRecovered(*subject[:3], subject.until))
    if into.mitigated_at and any(not subject.until for subject in one.subjects):
        taken.insert(0, ie.IncidentRelapsed())
    if one.release and not into.release:
        taken.append(ie.CauseFound(Reason(one.reason), one.release, one.variable))
    return [ie.IncidentMerged(into.id)], taken


def to_merge(incidents: Sequence[Incident]) -> list[tuple[Incident, Incident]]:
    """Open incidents of the installation that turned out to be one: (which ends, which goes on)."""
    live = sorted((i for i in incidents if not i.over and not i.account), key=lambda i: i.number)
    found: list[tuple[Incident, Incident]] = []
    gone: set[str] = set()
    for index, keeper in enumerate(live):
        for other in live[index + 1 :]:
            if other.id not in gone and keeper.id not in gone and _one(keeper, other):
                found.append((other, keeper))
                gone.add(other.id)
    return found


def _one(a: Incident, b: Incident) -> bool:
    if a.release and a.release == b.release:
        return True
    return bool(a.provider) and a.provider == b.provider and family(a.reason) is family(b.reason) and a.release == b.release
