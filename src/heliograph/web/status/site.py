"""Every public file of the status page, drawn from one board: the server answers with these bytes, the static copy is these bytes."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from heliograph.projections.postmortem_words import markdown
from heliograph.projections.public import api
from heliograph.projections.public.board import Board, Case
from heliograph.projections.wording import public
from heliograph.projections.wording.languages import EN, LANGUAGES, Language
from heliograph.web.status.feed import feed
from heliograph.web.status.story import story_of
from heliograph.web.status.views import about, by_slug, slug_of

ROOT = "/status"
API = f"{ROOT}/api/v2"
#: Runs no script but ours. (A meta element may not say who frames a page; the server's header adds that.)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'"
)
ASSETS = {"status.css": "text/css", "status.js": "text/javascript", "mark.svg": "image/svg+xml"}
HTML = "text/html; charset=utf-8"


class Made(NamedTuple):
    """A file as it is served."""

    body: bytes
    media_type: str


def paths(board: Board) -> Iterator[str]:
    """The address of every public file there is."""
    yield from (f"{ROOT}/assets/{name}" for name in ASSETS)
    for case in board.cases:
        for start in (ROOT, *(f"{ROOT}/{slug_of(language)}" for language in LANGUAGES)):
            yield f"{start}/incidents/{case.incident.id}"
            if case.postmortem:
                yield f"{start}/incidents/{case.incident.id}/postmortem"
        if case.postmortem:
            yield from (f"{ROOT}/{slug_of(language)}/incidents/{case.incident.id}/postmortem.md" for language in LANGUAGES)
    yield from (f"{API}/{file}" for file in api.FILES)
    for language in LANGUAGES:
        yield from (f"{ROOT}/{slug_of(language)}{end}" for end in ("/feed.atom", "/history", ""))
    yield ROOT


def draw(board: Board, path: str) -> Made | None:
    """The file at an address, or None where there is none."""
    match path.removeprefix(ROOT).strip("/").split("/"):
        case ["assets", name]:
            return _asset(name)
        case ["api", "v2", *rest]:
            found = api.answer(board, "/".join(rest))
            return Made(msgspec.json.encode(found), "application/json") if found is not None else None
        case [slug, "feed.atom"] if language := by_slug(slug):
            return Made(feed(board, language), "application/atom+xml; charset=utf-8")
        case [slug, "incidents", id, "postmortem.md"] if (language := by_slug(slug)) and (found_case := board.case(id)):
            return _markdown(found_case, language)
        case [""]:
            return _everywhere(board, "", None)
        case ["incidents", id, *rest]:
            return _everywhere(board, "/".join(rest) or "incident", board.case(id))
        case [slug, *rest] if language := by_slug(slug):
            return _page(board, language, rest)
        case _:
            return None


def _page(board: Board, language: Language, rest: list[str]) -> Made | None:
    kind, case = "", None
    if rest and rest[0] == "incidents" and len(rest) in (2, 3):
        kind, case = rest[2] if len(rest) == 3 else "incident", board.case(rest[1])
    elif rest:
        kind = "/".join(rest)
    inner = _inner(board, language, kind, case)
    if inner is None:
        return None
    end = "".join(f"/{part}" for part in rest)
    return whole(board, language, end, _title(board, language, case), inner, together=False)


def _everywhere(board: Board, kind: str, case: Case | None) -> Made | None:
    """All languages on one page, with pointers at the top."""
    if kind and case is None:
        return None
    inners = [_inner(board, language, kind, case) for language in LANGUAGES]
    if any(inner is None for inner in inners):
        return None
    parts = [(each.tag, slug_of(each), each.title, inner) for each, inner in zip(LANGUAGES, inners, strict=True)]
    content = TEMPLATES.get_template("all.html").render(parts=parts)
    end = "" if case is None else f"/incidents/{case.incident.id}" + ("" if kind == "incident" else f"/{kind}")
    return whole(board, EN, end, _title(board, EN, case), content, together=True)


def _inner(board: Board, language: Language, kind: str, case: Case | None) -> str | None:
    data = about(board, language)
    match kind:
        case "":
            name = "board.html"
        case "history":
            name = "history.html"
        case "incident" if case is not None:
            name, data["case"] = "incident.html", case
        case "postmortem" if case is not None and case.postmortem is not None:
            name, data["case"] = "postmortem.html", case
            data |= story_of(case.postmortem, case.remedies, language)
        case _:
            return None
    return TEMPLATES.get_template(name).render(data)


def whole(board: Board, language: Language, end: str, title: str, inner: str, *, together: bool) -> Made:
    """A page around its content. `end`: its address below that of its language."""
    here = f"{ROOT}{end}" if together else f"{ROOT}/{slug_of(language)}{end}"
    one_each = [(each, f"{ROOT}/{slug_of(each)}{end}") for each in LANGUAGES]
    # The page of all languages has none of its own for the history.
    default = f"{ROOT}{end}" if end != "/history" else f"{ROOT}/{slug_of(EN)}{end}"
    choices = [
        (each.tag, slug_of(each), each.title, f"#{slug_of(each)}" if together else address) for each, address in one_each
    ]  # fmt: skip
    data = about(board, language) | {
        "content": inner, "title": title, "path": here, "policy": POLICY, "all": together, "choices": choices,
        "alternates": [*((each.tag, address) for each, address in one_each), ("x-default", default)],
    }  # fmt: skip
    return Made(TEMPLATES.get_template("base.html").render(data).encode(), HTML)


def _title(board: Board, language: Language, case: Case | None) -> str:
    if case is not None:
        return f"{public.title(case.facts, language.tag).heading} · {board.name}"
    return public.page_title(language.tag, open_incidents=len(board.current))


def _markdown(case: Case, language: Language) -> Made | None:
    if case.postmortem is None:
        return None
    return Made(markdown(case.postmortem, case.remedies, language.tag).encode(), "text/markdown; charset=utf-8")


@cache
def _asset(name: str) -> Made | None:
    if name not in ASSETS:
        return None
    data = resources.files("heliograph.web.status").joinpath("assets", name).read_bytes()
    return Made(data, f"{ASSETS[name]}; charset=utf-8")


def address(name: str) -> str:
    """Where an asset is to be had; it changes with its content. Raises LookupError."""
    made = _asset(name)
    if made is None:
        raise LookupError(name)
    return f"{ROOT}/assets/{name}?v={hashlib.blake2b(made.body, digest_size=6).hexdigest()}"


def environment() -> Environment:
    """Our templates: every value escaped, a missing name an error."""
    made = Environment(
        loader=PackageLoader("heliograph.web.status", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    globals_: dict[str, Any] = made.globals
    globals_["asset"] = address
    return made


TEMPLATES = environment()
