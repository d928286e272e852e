"""The notice of an incident where an agent works: the banner, the bell, dismissing it, and the help page."""

from contextlib import suppress
from typing import Any, NamedTuple

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from heliograph.ports.store import Unavailable
from heliograph.projections.wording import guide, notice as wording
from heliograph.projections.wording.languages import LANGUAGES, known
from heliograph.projections.wording.pieces import Rendering
from heliograph.services import notices
from heliograph.services.notices import ADMINS, Shown
from heliograph.web.auth import current, found
from heliograph.web.policy import Need
from heliograph.web.workspace.acts import done
from heliograph.web.workspace.asking import Asked, running
from heliograph.web.workspace.language import accepted, speak, spoken
from heliograph.web.workspace.render import fragment, page

READ = {"need": Need.READ}
#: Tickets that a banner names; the page has them all.
NAMED = 5


class Told(NamedTuple):
    """One notice, ready to be laid out. `fresh`: nobody has seen it yet, so it speaks up."""

    incident: str
    banner: Rendering
    detail: Rendering
    shown: Shown
    fresh: bool
    #: The account's own, which speaks of everybody's replies.
    admins: bool
    named: int = NAMED


async def told(request: Asked, *, whole: bool = False) -> list[Told]:
    """The notices of who asks, gravest first, in the language of the page. With `whole`, an admin's are those of the account."""
    actor = current(request)
    context = running(request).context
    shown = await notices.shown_to(context, actor.account, actor.agent, admin="admin" in actor.scopes, whole=whole)
    return [_told(one) for one in shown]


def _told(shown: Shown) -> Told:
    facts, admins = shown.notice.counted, shown.notice.reader == ADMINS
    detail = (wording.account if admins else wording.detail)(facts, spoken())
    banner = detail if admins else wording.banner(facts, spoken())
    return Told(shown.notice.incident, banner, detail, shown, not shown.seen.seen_at, admins)


@get("/desk/notices", opt=READ)
async def notices_piece(request: Asked) -> Response[str]:
    """The banners: what is open and was not dismissed. Asking for it is seeing it."""
    actor, context = current(request), running(request).context
    banners = [one for one in await told(request) if one.shown.banner]
    answer = fragment(request, "notices.html", {"banners": banners, "writes": "write" in actor.scopes})
    for one in banners:
        if one.fresh:
            # A store that cannot write now makes it speak up once more.
            with suppress(Unavailable):
                await notices.saw(context, actor.account, actor.agent, one.incident)
    return answer


@get("/desk/notices/bell", opt=READ)
async def bell_piece(request: Asked) -> Response[str]:
    """How many replies wait or ask because of incidents, dismissed or not."""
    counted = [one.shown.notice.counted for one in await told(request)]
    return fragment(request, "bell.html", {"waiting": sum(facts.waiting + facts.asked for facts in counted)})


@post("/desk/notices/{incident:str}/dismiss", opt=READ)
async def dismiss(request: Asked, incident: FromPath[str]) -> Response[str]:
    """Take it from the top of the page; the bell keeps it."""
    actor = current(request)
    await notices.dismiss(running(request).context, actor.account, actor.agent, incident, admin="admin" in actor.scopes)
    return done("changed")


@get("/help/incident", opt={"need": Need.ANYBODY})
async def help_page(request: Asked, lang: FromQuery[str] = "") -> Response[str]:
    """What happened with my replies, and what must I do: in the language of the address, or the reader's."""
    chosen = known(lang)
    if chosen is not None:
        speak(chosen.tag)
    elif found(request) is None:
        speak(accepted(request))
    title, sections = guide.guide(spoken())
    data: dict[str, Any] = {"title": title, "sections": sections, "languages": LANGUAGES, "desk": found(request) is not None}
    return page("help.html", data)


NOTICES = [notices_piece, bell_piece, dismiss, help_page]
