"""The operators' pages: the list of incidents, and one incident with all that is known and can be done."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from heliograph.domain.delivery import Question
from heliograph.domain.incident import Severity
from heliograph.domain.reasons import Reason
from heliograph.services import incident_acts as acts, incidents as service
from heliograph.services.context import Context, Invalid
from heliograph.services.resume import MOST, Asked as Which, decide_all
from heliograph.web.auth import operator
from heliograph.web.operator.entry import OPERATOR, Asked, context_of, show, to
from heliograph.web.operator.postmortem_acts import moment
from heliograph.web.operator.reading import case_of, csv_of
from heliograph.web.workspace.asking import form_of
from heliograph.web.workspace.render import HEADERS

TOP = "/operator/incidents"


@get(["/operator", TOP], opt=OPERATOR)
async def listing(request: Asked) -> Response[str]:
    """What goes on, and what went on."""
    context = context_of(request)
    found = await service.all_incidents(context.store)
    accounts = {account.id: account.name for account in await context.store.accounts()}
    live = [one for one in found if not one.over]
    past = [one for one in found if one.over]
    return show(request, "operator_incidents.html", {"live": live, "past": past, "accounts": accounts, "now": context.clock.now()})


@get(f"{TOP}/{{incident:str}}", opt=OPERATOR)
async def one(request: Asked, incident: FromPath[str], said: FromQuery[str] = "") -> Response[str]:
    """An incident."""
    context = context_of(request)
    case = await case_of(context, incident)
    others = [other for other in await service.live_incidents(context.store) if other.id != incident and not other.over]
    others = [other for other in others if other.account in ("", case.incident.account)]
    data: dict[str, Any] = {
        "c": case, "others": others, "said": SAID.get(said, ""), "severities": list(Severity), "reasons": list(Reason),
        "questions": list(Question), "most": MOST,
    }  # fmt: skip
    return show(request, "operator_incident.html", data)


@get(f"{TOP}/{{incident:str}}/live", opt=OPERATOR)
async def live(request: Asked, incident: FromPath[str]) -> Response[str]:
    """The parts that change by themselves."""
    return show(request, "operator_live.html", {"c": await case_of(context_of(request), incident)})


@get(f"{TOP}/{{incident:str}}/impact.csv", opt=OPERATOR)
async def table(request: Asked, incident: FromPath[str]) -> Response[str]:
    """The impact, one line per part of a reply."""
    text = csv_of(await case_of(context_of(request), incident))
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{incident}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@post(f"{TOP}/{{incident:str}}", opt=OPERATOR)
async def act(request: Asked, incident: FromPath[str]) -> Response[str]:
    """Carry out what a form asks for."""
    form, actor, context = await form_of(request), operator(request).actor, context_of(request)
    fields = {name: str(form.get(name, "")).strip() for name in FIELDS}
    there = incident
    match fields["act"]:
        case "acknowledge":
            await acts.acknowledge(context, incident, actor=actor)
        case "note":
            await acts.annotate(context, incident, fields["text"], actor=actor)
        case "correct":
            await _correct(context, incident, fields, actor)
        case "merge":
            there = (await acts.merge(context, incident, fields["into"], actor=actor)).id
        case "resolve":
            await acts.resolve(context, incident, actor=actor)
        case "decide":
            which = Which(fields["account"], fields["channel"], fields["question"])
            done = await decide_all(
                context, await service.find_anywhere(context.store, incident), fields["decision"], actor=actor, which=which
            )
            return to(f"{TOP}/{there}?said={'more' if done.following else 'refused' if done.refused else 'decided'}#drain")
        case _:
            raise Invalid("There is no such act.")
    return to(f"{TOP}/{there}?said={fields['act']}")


async def _correct(context: Context, incident: str, fields: dict[str, str], actor: str) -> None:
    """Each field of the form that is filled in and differs."""
    for name in ("severity", "reason", "release", "variable"):
        if fields[name]:
            await acts.correct(context, incident, name, fields[name], actor=actor)
    for name in ("onset_at", "detected_at", "mitigated_at"):
        if fields[name]:
            await acts.correct(context, incident, name, str(moment(fields[name])), actor=actor)


FIELDS = (
    "act", "text", "into", "account", "channel", "question", "decision", "severity", "reason", "release", "variable", "onset_at",
    "detected_at", "mitigated_at",
)  # fmt: skip
SAID = {
    "acknowledge": "You have it in hand.",
    "note": "The note is saved.",
    "correct": "It is corrected, and old and new are on record.",
    "merge": "This is the incident that goes on.",
    "resolve": "It is called over.",
    "decided": "It is decided.",
    "more": f"The first {MOST} are decided; there are more.",
    "refused": "It is decided. Some did not ask any more: somebody was quicker, or proof came.",
}
PAGES = [listing, one, live, table, act]
