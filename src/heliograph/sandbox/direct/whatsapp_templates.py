"""The message templates of a simulated WhatsApp Business Account: which there are, by pages, and what one says when it is filled.

Source: Meta's reference of message templates and of the errors 132000 to 132016.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from heliograph.sandbox.direct.service import Problem
from heliograph.sandbox.ids import Ids
from heliograph.sandbox.wire import Json, Request

_PLACE = re.compile(r"\{\{([A-Za-z0-9_]+)\}\}")
_UNFIT = re.compile(r"[\r\n\t]| {5}")


def seeded(ids: Ids) -> list[Json]:
    """Some of each sort: numbered and named values, buttons, a picture, two languages, one that is paused."""
    follow_up: Json = {"type": "BODY", "text": "Hello {{1}}, we have news about order {{2}}. Reply to this message to go on."}
    follow_up["example"] = {"body_text": [["Ada", "7001"]]}
    named: Json = {"type": "BODY", "text": "Dear {{name}}, your appointment is on {{day}}."}
    named["example"] = {
        "body_text_named_params": [{"param_name": "name", "example": "Ada"}, {"param_name": "day", "example": "Monday"}],
    }
    german: Json = {"type": "BODY", "text": "Hallo {{1}}, es gibt Neues zur Bestellung {{2}}.", "example": {"body_text": [["Ada", "7001"]]}}
    picture: Json = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://scontent.example/picture"]}}
    stop: Json = {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Not now"}]}
    return [
        _template(ids, "conversation_follow_up", "en_US", "UTILITY", [follow_up, {"type": "FOOTER", "text": "Demo shop"}]),
        _template(ids, "conversation_follow_up", "de", "UTILITY", [german]),
        _template(ids, "appointment", "en_US", "UTILITY", [named, stop], named=True),
        _template(ids, "hello_world", "en_US", "UTILITY", [{"type": "BODY", "text": "Welcome and congratulations!"}]),
        _template(ids, "new_things", "en_US", "MARKETING", [picture, {"type": "BODY", "text": "Look what is new."}]),
        _template(ids, "old_offer", "en_US", "MARKETING", [{"type": "BODY", "text": "Only today."}], status="PAUSED"),
    ]


def _template(
    ids: Ids, name: str, language: str, category: str, components: list[Json], *, named: bool = False, status: str = "APPROVED"
) -> Json:
    return {
        "name": name, "parameter_format": "NAMED" if named else "POSITIONAL", "components": components, "language": language,
        "status": status, "category": category, "id": str(ids.number(10**14, 10**15)),
    }  # fmt: skip


def page(templates: list[Json], request: Request, url: str) -> Json:
    """A page of a listing. Filters and the size come by query; `after` is a cursor of the page before."""
    wanted = [each for name in ("status", "name", "language") for each in [(name, request.query.get(name, ""))] if each[1]]
    found = [each for each in templates if all(each[name] in value.split(",") for name, value in wanted)]
    limit = int(given) if (given := request.query.get("limit", "25")).isdecimal() and 0 < int(given) <= 1000 else 25
    after = request.query.get("after", "")
    start = int(after.removeprefix("QVFI")) if after.removeprefix("QVFI").isdecimal() else 0
    shown, end = found[start : start + limit], start + limit
    told: Json = {"data": shown}
    if shown:
        told["paging"] = {"cursors": {"before": f"QVFI{start}", "after": f"QVFI{end}"}}
        if end < len(found):
            told["paging"]["next"] = f"{url}?{urlencode({**request.query, 'limit': str(limit), 'after': f'QVFI{end}'})}"
    if "summary" in request.query:
        counts: Json = {"total_count": len(found), "message_template_count": len(templates), "message_template_limit": 6000}
        asked = request.query["summary"].split(",")
        told["summary"] = {name: value for name, value in {**counts, "are_translations_complete": False}.items() if name in asked}
    return told


def filled(templates: list[Json], sent: Json, problem: Callable[..., Problem]) -> str:
    """What the contact reads of a template with the values that were sent. Raises Problem."""
    language = sent.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    named = [each for each in templates if each["name"] == sent.get("name")]
    found = next((each for each in named if each["language"] == code), None)
    if found is None:
        what = f"template name ({sent.get('name')}) does not exist in {code}"
        raise problem(132001, "Template name does not exist in the translation", what, number=404)
    if found["status"] == "PAUSED":
        raise problem(132015, "Template is paused")
    body = next(each["text"] for each in found["components"] if each["type"] == "BODY")
    labels = list(dict.fromkeys(_PLACE.findall(body)))
    values = _values(sent, problem, named=found["parameter_format"] == "NAMED")
    if any(each["type"] == "HEADER" and each.get("format") != "TEXT" for each in found["components"]) and not _sent(sent, "header"):
        raise problem(132012, "Parameter format does not match format in the created template", "header: Format mismatch, expected IMAGE")
    if set(values) != set(labels):
        what = f"body: number of localizable_params ({len(values)}) does not match the expected number of params ({len(labels)})"
        raise problem(132000, "Number of parameters does not match the expected number of params", what)
    return _PLACE.sub(lambda place: values[place[1]], body)


def _sent(sent: Json, kind: str) -> list[Any]:
    components = sent.get("components")
    found = [each for each in components if isinstance(each, dict)] if isinstance(components, list) else []
    return [
        value
        for each in found
        if str(each.get("type")).lower() == kind and isinstance(each.get("parameters"), list)
        for value in each["parameters"]
    ]


def _values(sent: Json, problem: Callable[..., Problem], *, named: bool) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, parameter in enumerate(_sent(sent, "body"), 1):
        given = parameter if isinstance(parameter, dict) else {}
        value = given.get("text") if given.get("type") == "text" else None
        label = given.get("parameter_name") if named else str(number)
        if not isinstance(label, str):
            raise problem(100, "(#100) Invalid parameter", "Parameter name is missing or empty")
        if not isinstance(value, str) or not value:
            raise problem(131008, "Required parameter is missing", f"Parameter of type text is missing text value ({label})")
        if _UNFIT.search(value):
            what = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            raise problem(132018, "There is an issue with the parameters in your template", what)
        values[label] = value
    return values
