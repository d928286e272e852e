"""The one record of facts about an incident for one reader: every rendering in every language comes from it and nothing else."""

from collections.abc import Iterable
from typing import NamedTuple

from heliograph.domain.incident import Incident


class Facts(NamedTuple):
    """Counts are of what this reader may see: the installation, one account, or one agent. Times are microseconds UTC, 0 for not yet."""

    incident: str
    number: int
    phase: str
    severity: str
    #: A Reason.
    reason: str
    #: The provider as people know it, "" where several or none are concerned.
    provider_title: str
    onset_at: int
    detected_at: int
    declared_at: int
    noticed_at: int
    mitigated_at: int
    resolved_at: int
    #: For operators; "" in what accounts and the public read.
    release: str
    variable: str
    accounts: int
    tickets: int
    #: Affected replies: the sum of the six below.
    replies: int
    agents: int
    waiting: int
    sent_late: int
    asked: int
    failed: int
    dropped: int
    #: Affected by the ledger, and in no state at all. Counted, not assumed.
    lost: int

    @property
    def settled(self) -> bool:
        """Nothing waits and nobody is asked."""
        return not (self.waiting or self.asked)


class Affected(NamedTuple):
    """One part of a reply that an incident kept from going out at once. `agent` wrote it; `lane` is the conversation."""

    account: str
    ticket: str
    delivery: str
    agent: str
    lane: str
    channel: str
    #: "waiting", "sent_late", "asked", "failed", "dropped" or "lost".
    became: str
    #: The reply that it is a part of.
    comment: str = ""
    #: A domain.delivery.Question while asked.
    question: str = ""
    #: Microseconds, 0 for not yet.
    queued_at: int = 0
    accepted_at: int = 0


#: What the parts of one reply amount to: the first of these that any of them is.
GRAVEST = ("lost", "waiting", "asked", "failed", "dropped", "sent_late")


def facts(incident: Incident, affected: Iterable[Affected], *, provider_title: str, account: str = "", agent: str = "") -> Facts:
    """Of the installation; with `account` of that account; with `agent` of that agent's own replies."""
    mine = [a for a in affected if (not account or a.account == account) and (not agent or a.agent == agent)]
    replies: dict[tuple[str, str], str] = {}
    for one in mine:
        key = (one.account, one.comment or one.delivery)
        replies[key] = min(replies.get(key, one.became), one.became, key=GRAVEST.index)
    became = list(replies.values())
    operator = not account and not agent
    return Facts(
        incident.id, incident.number, incident.phase.value, incident.severity.value, incident.reason, provider_title,
        incident.onset_at, incident.detected_at, incident.declared_at, incident.noticed_at, incident.mitigated_at, incident.resolved_at,
        incident.release if operator else "", incident.variable if operator else "",
        len({a.account for a in mine}), len({(a.account, a.ticket) for a in mine}), len(replies), len({(a.account, a.agent) for a in mine}),
        became.count("waiting"), became.count("sent_late"), became.count("asked"), became.count("failed"), became.count("dropped"),
        became.count("lost"),
    )  # fmt: skip
