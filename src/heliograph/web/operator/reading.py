"""What an operator's pages and API show of an incident, gathered from the store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from heliograph.domain.events import EVENTS
from heliograph.domain.incident import Incident
from heliograph.domain.reasons import REASONS, Reason
from heliograph.ports import rows
from heliograph.projections.facts import GRAVEST, Affected, Facts, facts
from heliograph.services.context import Context
from heliograph.services.impact import provider_title, recent_impact
from heliograph.services.incident_acts import Note, notes
from heliograph.services.incidents import find_anywhere
from heliograph.services.operators import listed
from heliograph.services.resume import Drain, drains

#: Events of an incident that a page shows.
MOST = 500


class Line(NamedTuple):
    """One event of the incident's stream, in words. `text` is a note's."""

    seq: int
    at: int
    kind: str
    sentence: str
    actor: str
    text: str


class Share(NamedTuple):
    """One account's part of the impact."""

    account: str
    name: str
    facts: Facts


class Case(NamedTuple):
    """Everything about one incident."""

    incident: Incident
    facts: Facts
    shares: list[Share]
    lines: list[Line]
    drains: list[Drain]
    affected: list[Affected]
    #: Questions of the asked ones, with how many there are.
    questions: Mapping[str, int]
    names: Mapping[str, str]
    sentence: str
    remedy: str
    into: Incident | None
    at: int


async def case_of(context: Context, id: str) -> Case:
    """Raises Missing."""
    store = context.store
    incident = await find_anywhere(store, id)
    affected = await recent_impact(context, incident)
    title = await provider_title(context, incident)
    channels = {channel.id: channel.name for channel in await store.all_channels()}
    accounts = {account.id: account.name for account in await store.accounts()}
    events = await store.events(incident.account, stream="incident", stream_id=id, after=0, limit=MOST)
    reason = REASONS[Reason(incident.reason)]
    shares = [
        Share(account, accounts.get(account, account), facts(incident, affected, provider_title=title, account=account))
        for account in sorted({one.account for one in affected})
    ]
    shares.sort(key=lambda share: (-share.facts.replies, share.name))
    now = context.clock.now()
    people = {f"operator:{token.id}": token.name for token in await listed(store)}
    lines = _lines(events, await notes(store, incident), accounts | channels | people)
    return Case(
        incident, facts(incident, affected, provider_title=title), shares, lines,
        await drains(store, incident, affected, now=now), affected, Counter(one.question for one in affected if one.became == "asked"),
        accounts | channels, reason.sentence, reason.remedy,
        await find_anywhere(store, incident.merged_into) if incident.merged_into else None, now,
    )  # fmt: skip


def _lines(events: Sequence[rows.EventRead], texts: Mapping[str, Note], names: Mapping[str, str]) -> list[Line]:
    found = []
    for event in events:
        cls = EVENTS.get(event.kind)
        fields: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(event.data, type=cls)) if cls is not None else {}
        note = texts.get(str(fields.get("note", "")))
        shown = fields | {"subject": names.get(str(fields.get("subject", "")), fields.get("subject", ""))}
        sentence = cls.sentence.format(**shown) if cls is not None else f"An event of a newer version: {event.kind}."
        found.append(
            Line(
                event.seq,
                event.recorded_at,
                event.kind,
                sentence,
                names.get(event.actor, event.actor),
                note.text if note is not None else "",
            )
        )
    return found


def csv_of(case: Case) -> str:
    """The affected parts of replies as a table for a spreadsheet: ids only."""
    lines = ["account,ticket,reply,delivery,agent,channel,became,question"]
    ordered = sorted(case.affected, key=lambda one: (one.account, GRAVEST.index(one.became), one.delivery))
    lines += [",".join((a.account, a.ticket, a.comment, a.delivery, a.agent, a.channel, a.became, a.question)) for a in ordered]
    return "\r\n".join(lines) + "\r\n"
