"""The status of one account for who is signed in: what is wrong now, whose replies it holds back, and the lists to take along."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from heliograph.domain.incident import Incident
from heliograph.domain.retry import SECOND
from heliograph.projections.wording import public
from heliograph.projections.wording.languages import LANGUAGES
from heliograph.projections.wording.pieces import Line
from heliograph.services import incidents, people
from heliograph.services.impact import facts_of, recent_impact
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import Asked, form_of, frame, running
from heliograph.web.workspace.language import mark, say, spoken
from heliograph.web.workspace.notices import told
from heliograph.web.workspace.render import HEADERS, fragment, page
from heliograph.web.workspace.standing import standings

READ, ADMIN = {"need": Need.READ}, {"need": Need.ADMIN}
#: What happened longer ago, or before so many others, is told by the operator.
RECENT, MOST = 30 * 24 * 3600 * SECOND, 10
BECAME = {
    "waiting": mark("Waiting"), "asked": mark("Needs a decision"), "sent_late": mark("Sent late"), "failed": mark("Could not be sent"),
    "dropped": mark("Dropped"), "lost": mark("Lost"),
}  # fmt: skip
COLUMNS = ("incident", "ticket", "ticket_id", "reply", "delivery", "agent", "agent_name", "channel", "became", "written_at", "sent_at")


class Past(NamedTuple):
    """An incident that touched this account."""

    id: str
    number: int
    title: Line
    replies: int


@get("/desk/status", opt=READ)
async def status_page(request: Asked) -> Response[str]:
    """The whole page."""
    actor = current(request)
    person = await people.person(running(request).context.store, actor.account, actor.agent)
    return page("status.html", await frame(request, here="status", person=person, languages=LANGUAGES, **await _shown(request)))


@get("/desk/status/list", opt=READ)
async def status_piece(request: Asked) -> Response[str]:
    """What of it changes."""
    return fragment(request, "status_list.html", {"admin": "admin" in current(request).scopes, **await _shown(request)})


async def _shown(request: Asked) -> dict[str, Any]:
    application, actor = running(request), current(request)
    notices = await told(request, whole=True)
    known = await standings(application.context, application.specs, actor.account)
    past = await _past(request, {one.incident for one in notices}) if "admin" in actor.scopes else []
    return {"told_notices": notices, "held": [one for one in known.values() if not one.well], "past": past, "became": BECAME}


async def _past(request: Asked, open_ones: set[str]) -> list[Past]:
    context, account = running(request).context, current(request).account
    found = [one for owner in ("", account) for one in await incidents.incidents_of(context.store, owner)]
    recent = [one for one in found if one.over and not one.merged_into and context.clock.now() - one.onset_at < RECENT]
    past = []
    for incident in sorted(recent, key=lambda one: -one.number)[:MOST]:
        facts = await facts_of(context, incident, account)
        if facts.replies and incident.id not in open_ones:
            past.append(Past(incident.id, incident.number, public.title(facts, spoken()).title, facts.replies))
    return past


@post("/desk/status/me", opt=READ)
async def set_me(request: Asked) -> Response[str]:
    """Where to mail me, and in which language I read."""
    actor, form = current(request), await form_of(request)
    mail, language = str(form.get("mail", "")).strip(), str(form.get("language", ""))
    context = running(request).context
    await people.set_person(context, actor.account, actor.agent, mail=mail, language=language, actor=actor.actor)
    return Response(say("Saved."), status_code=200, media_type="text/plain", headers={**HEADERS, "hx-refresh": "true"})


@get("/desk/status/{incident:str}/replies.csv", opt=ADMIN)
async def replies_csv(request: Asked, incident: FromPath[str]) -> Response[str]:
    """The account's own list: one line for each affected part of a reply. Raises Missing."""
    found, rows = await _list(request, incident)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="incident-{found.number}.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@get("/desk/status/{incident:str}/replies.json", opt=ADMIN)
async def replies_json(request: Asked, incident: FromPath[str]) -> Response[bytes]:
    """The same with the facts, for programs. Raises Missing."""
    found, rows = await _list(request, incident)
    facts = await facts_of(running(request).context, found, current(request).account)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="incident-{found.number}.json"'}
    return Response(msgspec.json.encode({"facts": facts._asdict(), "replies": rows}), media_type="application/json", headers=headers)


async def _list(request: Asked, id: str) -> tuple[Incident, list[dict[str, Any]]]:
    context, account = running(request).context, current(request).account
    incident = await incidents.find(context.store, id, account)
    names = {agent.id: agent.name for agent in await context.store.agents(account)}
    numbers: dict[str, int] = {}
    rows = []
    for one in await recent_impact(context, incident, account):
        if one.ticket not in numbers:
            ticket = await context.store.ticket(account, one.ticket) if one.ticket else None
            numbers[one.ticket] = ticket.number if ticket else 0
        delivery = await context.store.delivery(account, one.delivery)
        written, sent = (delivery.queued_at, delivery.accepted_at) if delivery else (0, 0)
        rows.append(dict(zip(COLUMNS, (
            incident.number, numbers[one.ticket], one.ticket, one.comment, one.delivery, one.agent, names.get(one.agent, ""), one.channel,
            one.became, _moment(written), _moment(sent),
        ), strict=True)))  # fmt: skip
    return incident, rows


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""


def _harmless(value: Any) -> Any:
    # A spreadsheet would carry out a name that looks like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


STATUS = [status_page, status_piece, set_me, replies_csv, replies_json]
