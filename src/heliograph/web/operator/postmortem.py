"""Where operators write: updates of the public page, its comments, the post-mortem, its remedies, and requests for help."""

from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader
from litestar import Request, Response, Router, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath, FromQuery
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from heliograph.domain.decide import Refusal
from heliograph.ports.store import Conflict, Unavailable
from heliograph.projections import postmortem_words as say
from heliograph.projections.postmortem import SECTIONS, RemedyState
from heliograph.projections.wording.languages import EN, LANGUAGES, Language, known
from heliograph.services import incidents, postmortems, remarks, remedies
from heliograph.services.context import Invalid, Missing
from heliograph.services.status_page import load_board
from heliograph.web.operator import entry
from heliograph.web.operator.entry import ANYBODY
from heliograph.web.operator.postmortem_acts import carry_out
from heliograph.web.problems import Refused
from heliograph.web.status.forms import HEADERS
from heliograph.web.status.live import Live
from heliograph.web.status.site import HTML, environment
from heliograph.web.status.story import story_of
from heliograph.web.status.views import about, helpers
from heliograph.web.workspace.asking import form_of

Asked = Request[Any, Any, Any]
#: Who the operator is that asks, as the ledger names them, and the name that they go by. Raises Refused for anybody else.
Guard = Callable[[Asked], tuple[str, str]]
TOP = "/operator/postmortems"
TEMPLATES = environment()
TEMPLATES.loader = ChoiceLoader(
    [PackageLoader("heliograph.web.operator", "templates"), PackageLoader("heliograph.web.status", "templates")]
)


def operator_of(request: Asked) -> tuple[str, str]:
    """Who asks. Raises Refused."""
    guard: Guard = request.route_handler.opt["guard"]()
    return guard(request)


def _live(request: Asked) -> Live:
    live: Live = request.route_handler.opt["live"]()
    return live


def _page(name: str, data: dict[str, Any], *, code: int = 200) -> Response[bytes]:
    return Response(TEMPLATES.get_template(name).render(data).encode(), status_code=code, media_type=HTML, headers=HEADERS)


@get(TOP, opt=ANYBODY)
async def stories(request: Asked) -> Response[bytes]:
    """Every public incident, and who asked for help."""
    operator_of(request)
    live = _live(request)
    board = await load_board(live.context, live.outlets, await incidents.incidents_of(live.context.store, ""), hidden=True)
    kept = {case.incident.id: (await postmortems.read(live.context.store, case.incident.id)).story for case in board.cases}
    data = about(board, EN) | {"kept": kept, "requests": await remarks.requests(live.context), "now": board.at}
    return _page("postmortems.html", data)


@get(f"{TOP}/{{incident:str}}", opt=ANYBODY)
async def story(request: Asked, incident: FromPath[str], language: FromQuery[str] = "en") -> Response[bytes]:
    """One incident's desk."""
    operator_of(request)
    return await _desk(_live(request), incident, known(language) or EN)


@post(f"{TOP}/{{incident:str}}", opt=ANYBODY)
async def act(request: Asked, incident: FromPath[str], language: FromQuery[str] = "en") -> Response[bytes]:
    """Carry out what a form asks for; what cannot be is said above the page, with what was typed kept in the browser's history."""
    actor, name = operator_of(request)
    live, spoken = _live(request), known(language) or EN
    form: FormMultiDict = await form_of(request)
    try:
        await carry_out(live.context, incident, form, actor=actor, author=name)
        live.forget()
    except (Invalid, Refusal) as wrong:
        return await _desk(live, incident, spoken, wrong=str(wrong), code=422 if isinstance(wrong, Invalid) else 409)
    there = f"{TOP}/{incident}?language={spoken.tag}#{form.get('act', '')}"
    return Response(b"", status_code=303, headers={**HEADERS, "location": there})


@get(f"{TOP}/{{incident:str}}/preview", opt=ANYBODY)
async def preview(request: Asked, incident: FromPath[str], language: FromQuery[str] = "en") -> Response[bytes]:
    """As everybody will read it."""
    operator_of(request)
    live, spoken = _live(request), known(language) or EN
    kept = (await postmortems.read(live.context.store, incident)).story
    if kept.draft is None:
        raise Refused(404, "There is no draft yet: the incident is not over.")
    found = await remedies.remedies(live.context, incident)
    data = helpers(spoken) | story_of(kept, tuple(found), spoken)
    inner = TEMPLATES.get_template("postmortem.html").render(data)
    return _page("preview.html", {"w": data["w"], "inner": inner, "incident": incident, "top": TOP})


async def _desk(live: Live, incident: str, language: Language, *, wrong: str = "", code: int = 200) -> Response[bytes]:
    store = live.context.store
    board = await load_board(live.context, live.outlets, await incidents.incidents_of(store, ""), hidden=True)
    case = board.case(incident)
    if case is None:
        raise Refused(404, "There is no such public incident.")
    kept = (await postmortems.read(store, incident)).story
    data = about(board, EN) | {
        "case": case, "story": kept, "wrong": wrong, "chosen": language, "languages": LANGUAGES, "sections": SECTIONS, "top": TOP,
        "headings": {name: say.word("en", message) for name, message in say.HEADINGS.items()},
        "remedies": await remedies.remedies(live.context, incident), "states": list(RemedyState),
        "state_names": {name: say.word("en", message) for name, message in say.STATES.items()},
        "requests": [one for one in await remarks.requests(live.context) if one.incident == incident],
    }  # fmt: skip
    return _page("postmortem_desk.html", data, code=code)


def story_routes(live: Live, guard: Guard) -> list[ControllerRouterHandler]:
    """These pages, for operators only."""
    handlers: ExceptionHandlersMap = {
        Refused: entry.refused, Missing: entry.missing, Unavailable: entry.unsaved, Conflict: entry.unsaved,
    }  # fmt: skip
    # The framework copies options deeply; functions are copied as they are.
    made = Router(
        path="/", route_handlers=[stories, story, act, preview], opt={"live": lambda: live, "guard": lambda: guard},
        exception_handlers=handlers, include_in_schema=False,
    )  # fmt: skip
    return [made]
