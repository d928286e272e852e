"""What signed-in people do on an incident's public page: say something, and ask us for help with it."""

from litestar import Response, get, post
from litestar.params import FromPath

from heliograph.domain.decide import Refusal
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import Language
from heliograph.services import remarks
from heliograph.services.context import Invalid
from heliograph.web.auth import current
from heliograph.web.policy import Need
from heliograph.web.status.forms import HEADERS, Asked, case_at, form_page, language_at, live_of
from heliograph.web.status.live import Live
from heliograph.web.workspace.asking import form_of

READ, WRITE = {"need": Need.READ}, {"need": Need.WRITE}


def say(language: Language, text: str) -> str:
    """A sentence in the language of the page."""
    return translate(language.tag, text)


@get("/status/{language:str}/incidents/{incident:str}/discuss", opt=READ)
async def discuss_page(request: Asked, language: FromPath[str], incident: FromPath[str]) -> Response[bytes]:
    """The form for a comment."""
    return await _form(live_of(request), language_at(language), incident, "discuss")


@post("/status/{language:str}/incidents/{incident:str}/discuss", opt=WRITE)
async def discuss(request: Asked, language: FromPath[str], incident: FromPath[str]) -> Response[bytes]:
    """Say it, in public."""
    live, spoken, actor = live_of(request), language_at(language), current(request)
    form = await form_of(request)
    text, name = str(form.get("text", "")), str(form.get("name", ""))
    await case_at(live, incident)
    try:
        await remarks.remark(live.context, incident, account=actor.account, agent=actor.agent, name=name, text=text)
    except Invalid:
        return await _form(live, spoken, incident, "discuss", wrong=_too_long(spoken), text=text, code=422)
    except Refusal:
        wrong = say(spoken, "You cannot comment now: this page is closed for comments, or you have written a lot in the last hour.")
        return await _form(live, spoken, incident, "discuss", wrong=wrong, text=text, code=409)
    live.forget()
    there = f"/status/{language}/incidents/{incident}"
    return Response(b"", status_code=303, headers={**HEADERS, "location": there})


@get("/status/{language:str}/incidents/{incident:str}/help", opt=READ)
async def help_page(request: Asked, language: FromPath[str], incident: FromPath[str]) -> Response[bytes]:
    """The form for a ticket with us."""
    return await _form(live_of(request), language_at(language), incident, "help")


@post("/status/{language:str}/incidents/{incident:str}/help", opt=WRITE)
async def help_asked(request: Asked, language: FromPath[str], incident: FromPath[str]) -> Response[bytes]:
    """Open it; only the operator reads it."""
    live, spoken, actor = live_of(request), language_at(language), current(request)
    text = str((await form_of(request)).get("text", ""))
    await case_at(live, incident)
    try:
        made = await remarks.request(live.context, incident, account=actor.account, agent=actor.agent, text=text)
    except Invalid:
        return await _form(live, spoken, incident, "help", wrong=_too_long(spoken), text=text, code=422)
    except Refusal:
        wrong = say(spoken, "You have written a lot in the last hour. Wait a while.")
        return await _form(live, spoken, incident, "help", wrong=wrong, text=text, code=409)
    done = say(spoken, "Your ticket {number} is with us. We answer you outside of this page.").format(number=made.number)
    return await form_page(live, spoken, "said.html", end=f"/incidents/{incident}", title=say(spoken, "Log a ticket with us"), text=done)


def _too_long(spoken: Language) -> str:
    return say(spoken, "Write something, up to 2000 characters.")


async def _form(
    live: Live, spoken: Language, incident: str, kind: str, *, wrong: str = "", text: str = "", code: int = 200
) -> Response[bytes]:
    case = await case_at(live, incident)
    title = say(spoken, "Comment") if kind == "discuss" else say(spoken, "Log a ticket with us")
    return await form_page(
        live, spoken, "say.html", end=f"/incidents/{incident}", title=title, heading=title, case=case, kind=kind, wrong=wrong,
        text=text, code=code,
    )  # fmt: skip


HANDLERS = [discuss_page, discuss, help_page, help_asked]
