"""Operators' JSON API: incidents, their impact and drain, what is done about them, and the daily statements."""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from heliograph.domain.incident import Incident
from heliograph.services import incident_acts as acts, incidents as service, statements
from heliograph.services.context import Missing
from heliograph.services.resume import MOST, Asked as Which, decide_all
from heliograph.web.auth import operator
from heliograph.web.operator.entry import OPERATOR, Asked, context_of
from heliograph.web.operator.reading import case_of

TOP = "/operator/api"
JsonObject = dict[str, Any]


class NoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to write down."""

    text: str


class Correction(msgspec.Struct, forbid_unknown_fields=True):
    """Which field to put right. Times are microseconds UTC."""

    name: str
    new: str


class MergeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which incident goes on."""

    into: str


class BulkDecision(msgspec.Struct, forbid_unknown_fields=True):
    """The same for many asked replies: "resend", "mark_sent" or "cancel"; `after` goes on where an earlier answer's `following` says."""

    decision: str
    account: str = ""
    channel: str = ""
    question: str = ""
    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = MOST


def shape(incident: Incident) -> JsonObject:
    """An incident as JSON."""
    return incident._asdict() | {"subjects": [subject._asdict() for subject in incident.subjects], "public": incident.public}


@get(f"{TOP}/incidents", opt=OPERATOR)
async def list_incidents(request: Asked) -> JsonObject:
    """All, newest first."""
    return {"items": [shape(one) for one in await service.all_incidents(context_of(request).store)]}


@get(f"{TOP}/incidents/{{incident:str}}", opt=OPERATOR)
async def get_incident(request: Asked, incident: FromPath[str]) -> JsonObject:
    """One, with its facts and events."""
    case = await case_of(context_of(request), incident)
    return {"incident": shape(case.incident), "facts": case.facts._asdict(), "events": [line._asdict() for line in case.lines]}


@get(f"{TOP}/incidents/{{incident:str}}/impact", opt=OPERATOR)
async def get_impact(request: Asked, incident: FromPath[str]) -> JsonObject:
    """By account, and each affected part of a reply."""
    case = await case_of(context_of(request), incident)
    return {
        "facts": case.facts._asdict(),
        "accounts": [{"account": share.account, "facts": share.facts._asdict()} for share in case.shares],
        "affected": [one._asdict() for one in case.affected],
    }


@get(f"{TOP}/incidents/{{incident:str}}/drain", opt=OPERATOR)
async def get_drain(request: Asked, incident: FromPath[str]) -> JsonObject:
    """By channel: remaining, rate, asked, oldest, estimated end."""
    case = await case_of(context_of(request), incident)
    return {"items": [drain._asdict() for drain in case.drains], "questions": dict(case.questions)}


@post(f"{TOP}/incidents/{{incident:str}}/acknowledge", status_code=200, opt=OPERATOR)
async def acknowledge(request: Asked, incident: FromPath[str]) -> JsonObject:
    """Take it in hand."""
    return shape(await acts.acknowledge(context_of(request), incident, actor=operator(request).actor))


@post(f"{TOP}/incidents/{{incident:str}}/notes", opt=OPERATOR)
async def annotate(request: Asked, incident: FromPath[str], data: JSONBody[NoteBody]) -> JsonObject:
    """Write a note."""
    return {"note": await acts.annotate(context_of(request), incident, data.text, actor=operator(request).actor)}


@post(f"{TOP}/incidents/{{incident:str}}/correct", status_code=200, opt=OPERATOR)
async def correct(request: Asked, incident: FromPath[str], data: JSONBody[Correction]) -> JsonObject:
    """Put a field right."""
    return shape(await acts.correct(context_of(request), incident, data.name, data.new, actor=operator(request).actor))


@post(f"{TOP}/incidents/{{incident:str}}/merge", status_code=200, opt=OPERATOR)
async def merge(request: Asked, incident: FromPath[str], data: JSONBody[MergeBody]) -> JsonObject:
    """The incident that goes on."""
    return shape(await acts.merge(context_of(request), incident, data.into, actor=operator(request).actor))


@post(f"{TOP}/incidents/{{incident:str}}/resolve", status_code=200, opt=OPERATOR)
async def resolve(request: Asked, incident: FromPath[str]) -> JsonObject:
    """Call it over."""
    return shape(await acts.resolve(context_of(request), incident, actor=operator(request).actor))


@post(f"{TOP}/incidents/{{incident:str}}/decide", status_code=200, opt=OPERATOR)
async def decide(request: Asked, incident: FromPath[str], data: JSONBody[BulkDecision]) -> JsonObject:
    """Decide about many asked replies at once."""
    context = context_of(request)
    done = await decide_all(
        context, await service.find_anywhere(context.store, incident), data.decision, actor=operator(request).actor,
        which=Which(data.account, data.channel, data.question), after=data.after, limit=data.limit,
    )  # fmt: skip
    return done._asdict()


@get(f"{TOP}/accounts/{{account:str}}/statement", opt=OPERATOR)
async def statement(request: Asked, account: FromPath[str]) -> JsonObject:
    """Everything that the account wrote is somewhere: as of now, and of past days."""
    context = context_of(request)
    if await context.store.account(account) is None:
        raise Missing("account")
    made = [await statements.now_of(context, account), *await statements.kept(context.store, account)]
    now, *past = [one._asdict() | {"unaccounted": one.unaccounted} for one in made]
    return {"now": now, "past": past}


ROUTES = [
    list_incidents, get_incident, get_impact, get_drain, acknowledge, annotate, correct, merge, resolve, decide, statement,
]  # fmt: skip
