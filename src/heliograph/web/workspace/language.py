"""In which language a page speaks to who asks: their own choice, their account's, or their browser's."""

from contextvars import ContextVar
from typing import Any

from litestar import Request

from heliograph.bootstrap.application import Application
from heliograph.projections.wording.catalogs import plural, translate
from heliograph.projections.wording.languages import EN, known, negotiate
from heliograph.projections.wording.values import number as written
from heliograph.services import people
from heliograph.web.auth import found

#: Of the request under way: each is handled in a task of its own.
SPOKEN: ContextVar[str] = ContextVar("spoken", default=EN.tag)
COOKIE = "heliograph_language"


async def listen(request: Request[Any, Any, Any]) -> None:
    """Before each page: find out which language it is made in. A store that cannot be asked makes it English."""
    actor = found(request)
    chosen = ""
    if actor is not None:
        application: Application = request.app.state.application
        chosen = await people.language_for(application.context.store, actor.account, actor.agent)
    speak(chosen or accepted(request))


def accepted(request: Request[Any, Any, Any]) -> str:
    """What the browser asks for, as a tag of ours."""
    return (negotiate(request.headers.get("accept-language", "")) or EN).tag


def speak(language: str) -> None:
    """Make the rest of this request's page in a language."""
    SPOKEN.set((known(language) or EN).tag)


def spoken() -> str:
    """The tag of the language that this page is made in."""
    return SPOKEN.get()


def say(text: str) -> str:
    """A sentence of ours in the page's language. Its holes are filled by `.format` afterwards."""
    return translate(SPOKEN.get(), text)


def mark(text: str) -> str:
    """The same sentence, to be said later: it is in the catalogs, and not translated yet."""
    return text


def count(singular: str, many: str, number: int) -> str:
    """A sentence about a number, which stands in its hole {n}."""
    return plural(SPOKEN.get(), singular, many, number).replace("{n}", written(SPOKEN.get(), number))


#: What the pages' script says by itself.
SCRIPT = (
    mark("Your reply:"), mark("The contact wrote."), mark("Draft kept"), mark("Save note"), mark("Send reply"), mark("Today"),
    mark("now"), mark("An internal note, which the contact never sees"), mark("Write something, or attach a file."),
    mark("Take away {file}"), mark("It could not be saved ({code}). Your text is kept; try again."), mark("no answer"),
    mark("That did not work. Try again."),
)  # fmt: skip


def script_words() -> dict[str, str]:
    """The script's sentences by their English, in the page's language."""
    return {text: say(text) for text in SCRIPT} if SPOKEN.get() != EN.tag else {}
