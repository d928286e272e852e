"""What the forms of an incident's desk ask for, each a call of a service."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from heliograph.domain.retry import SECOND
from heliograph.projections.postmortem import RemedyState
from heliograph.services import postmortems, remarks, remedies, status_page
from heliograph.services.context import Context, Invalid
from heliograph.services.remedies import Wish

Form = Mapping[str, Any]


async def carry_out(context: Context, incident: str, form: Form, *, actor: str, author: str) -> None:
    """Do what the field `act` names. Raises Invalid, Missing, Refusal."""
    act = ACTS.get(_text(form, "act"))
    if act is None:
        raise Invalid("There is no such act.")
    await act(context, incident, form, actor, author)


def _text(form: Form, name: str) -> str:
    return str(form.get(name, "")).strip()


def moment(text: str) -> int:
    """A moment that a form's field gives in UTC, as microseconds; 0 for an empty one. Raises Invalid."""
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND
    except (ValueError, OverflowError):
        raise Invalid("Write a date such as 2026-08-12, or one with its time such as 2026-08-12T15:00, in UTC.") from None


async def _section(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    section, locale, text = _text(form, "section"), _text(form, "locale"), str(form.get("text", ""))
    await postmortems.write_section(context, incident, section, text, locale=locale, author=author, actor=actor)


async def _promise(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await postmortems.promise(context, incident, moment(_text(form, "due")), actor=actor)


async def _publish(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await postmortems.publish(context, incident, actor=actor)


async def _remedy(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    state = _text(form, "state") or RemedyState.PLANNED
    if state not in list(RemedyState):
        raise Invalid("There is no such state.")
    wish = Wish(
        title=_text(form, "title"), owner=_text(form, "owner"), due_at=moment(_text(form, "due")), state=RemedyState(state),
        locale=_text(form, "locale") or "en",
    )  # fmt: skip
    await remedies.set_remedy(context, incident, wish, id=_text(form, "id"), actor=actor)


async def _remedy_words(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await remedies.translate(context, _text(form, "id"), _text(form, "text"), locale=_text(form, "locale"), actor=actor)


async def _note(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await status_page.write_note(context, incident, str(form.get("text", "")), locale=_text(form, "locale"), actor=actor)


async def _note_words(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    text = str(form.get("text", ""))
    await status_page.translate_note(context, incident, _text(form, "id"), text, locale=_text(form, "locale"), actor=actor)


async def _close(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await status_page.close_comments(context, incident, why="operator", actor=actor)


async def _hide(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await remarks.hide_remark(context, _text(form, "id"), hidden=_text(form, "hidden") == "yes", actor=actor)


async def _answered(context: Context, incident: str, form: Form, actor: str, author: str) -> None:
    await remarks.close_request(context, _text(form, "id"), actor=actor)


ACTS: dict[str, Callable[[Context, str, Form, str, str], Awaitable[None]]] = {
    "section": _section,
    "promise": _promise,
    "publish": _publish,
    "remedy": _remedy,
    "remedy-words": _remedy_words,
    "note": _note,
    "note-words": _note_words,
    "close": _close,
    "hide": _hide,
    "answered": _answered,
}
