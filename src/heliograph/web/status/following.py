"""Following by mail: the form, the confirmation, and the way out in one click (RFC 8058)."""

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from heliograph.ports.announce import NotTold
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import EN, Language, language_of
from heliograph.services import followers
from heliograph.services.context import Invalid, Missing
from heliograph.web.policy import Need
from heliograph.web.problems import Refused
from heliograph.web.status.forms import Asked, form_page, language_at, live_of
from heliograph.web.status.live import Live
from heliograph.web.workspace.asking import form_of

OPEN = {"need": Need.OPEN}
NO_MAIL = "This installation sends no mail. Follow the feed."


def say(language: Language, text: str) -> str:
    """A sentence in the language of the page."""
    return translate(language.tag, text)


@get("/status/{language:str}/follow", opt=OPEN)
async def follow_page(request: Asked, language: FromPath[str]) -> Response[bytes]:
    """The form."""
    return await _form(_mailing(request), language_at(language))


@post("/status/{language:str}/follow", opt=OPEN)
async def follow(request: Asked, language: FromPath[str]) -> Response[bytes]:
    """Ask the address to confirm. The answer is the same whoever follows already."""
    live, spoken = _mailing(request), language_at(language)
    outlets = live.outlets
    assert outlets.mail is not None
    address = str((await form_of(request)).get("address", ""))
    try:
        await followers.follow(
            live.context, outlets.vault, outlets.mail, address, locale=spoken.tag, url=outlets.url, name=outlets.name
        )  # fmt: skip
    except Invalid:
        wrong = say(spoken, "We cannot write to this address. Check it, or follow the feed instead.")
        return await _form(live, spoken, wrong=wrong, code=422)
    except NotTold:
        wrong = say(spoken, "The mail could not be sent now. Try again later, or follow the feed instead.")
        return await _form(live, spoken, wrong=wrong, code=503)
    text = say(spoken, "Look into your mailbox: if the address does not follow already, a mail asks you to confirm.")
    return await form_page(live, spoken, "said.html", end="/follow", title=say(spoken, "Follow by mail"), text=text)


@get("/status/followers/{follower:str}/confirm", opt=OPEN)
async def confirm_page(request: Asked, follower: FromPath[str], token: FromQuery[str] = "") -> Response[bytes]:
    """A button: programs that look at links in mails confirm nothing."""
    spoken = await _spoken(live_of(request), follower, token)
    return await _button(
        request, spoken, "confirm", follower, token,
        text=say(spoken, "Do you want a mail about each incident and what becomes of it?"), label=say(spoken, "Yes, follow"),
    )  # fmt: skip


@post("/status/followers/{follower:str}/confirm", opt=OPEN)
async def confirm(request: Asked, follower: FromPath[str], token: FromQuery[str] = "") -> Response[bytes]:
    """From now on."""
    live = live_of(request)
    try:
        found = await followers.confirm(live.context, follower, token)
    except Missing:
        return await _gone(live, EN)
    spoken = language_of(found.locale)
    text = say(spoken, "Done. You are told about each incident from now on; every mail has a way out.")
    return await form_page(live, spoken, "said.html", title=say(spoken, "Follow by mail"), text=text)


@get("/status/followers/{follower:str}/unsubscribe", opt=OPEN)
async def unsubscribe_page(request: Asked, follower: FromPath[str], token: FromQuery[str] = "") -> Response[bytes]:
    """A button, for people; mail programs send the POST themselves."""
    live = live_of(request)
    try:
        spoken = language_of((await followers.look(live.context, follower, token)).locale)
    except Missing:
        return await _gone(live, EN)
    return await _button(
        request, spoken, "unsubscribe", follower, token,
        text=say(spoken, "Do you want no more mails about incidents?"), label=say(spoken, "No more mails"),
    )  # fmt: skip


@post("/status/followers/{follower:str}/unsubscribe", opt=OPEN)
async def unsubscribe(request: Asked, follower: FromPath[str], token: FromQuery[str] = "") -> Response[bytes]:
    """Gone, and the address forgotten. A second time is as good as the first."""
    live, spoken = live_of(request), EN
    try:
        spoken = language_of((await followers.look(live.context, follower, token)).locale)
    except Missing:
        return await _gone(live, spoken, code=200)
    await followers.unfollow(live.context, follower, token)
    return await _gone(live, spoken, code=200)


def _mailing(request: Asked) -> Live:
    live = live_of(request)
    if not live.outlets.mails:
        raise Refused(404, NO_MAIL)
    return live


async def _spoken(live: Live, follower: str, token: str) -> Language:
    try:
        return language_of((await followers.look(live.context, follower, token)).locale)
    except Missing:
        raise Refused(404, "This link is not good any more. Follow the page again.") from None


async def _form(live: Live, spoken: Language, *, wrong: str = "", code: int = 200) -> Response[bytes]:
    return await form_page(live, spoken, "follow.html", end="/follow", title=say(spoken, "Follow by mail"), wrong=wrong, code=code)


async def _button(request: Asked, spoken: Language, act: str, follower: str, token: str, *, text: str, label: str) -> Response[bytes]:
    action = f"/status/followers/{follower}/{act}"
    title = say(spoken, "Follow by mail")
    return await form_page(live_of(request), spoken, "button.html", title=title, text=text, label=label, action=action, token=token)


async def _gone(live: Live, spoken: Language, *, code: int = 404) -> Response[bytes]:
    text = say(spoken, "This address does not follow any more, and we have forgotten it.")
    return await form_page(live, spoken, "said.html", title=say(spoken, "Follow by mail"), text=text, code=code)


HANDLERS = [follow_page, follow, confirm_page, confirm, unsubscribe_page, unsubscribe]
