"""Reads WhatsApp's message templates, fills them, and makes the message that sends one.

Source: Meta's pages on template components and parameters, as read by pywa.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.domain.content import Rich
from heliograph.ports.provider import Template, Unsupported
from heliograph.providers import templates
from heliograph.providers.wire import rows, table, text

FIELDS = "name,language,category,status,parameter_format,components"

#: Buttons that are what they are: the others want a value, or are filled in by Meta from what we have not.
FIXED_BUTTONS = frozenset({"QUICK_REPLY", "URL", "PHONE_NUMBER"})


def read(row: Mapping[str, Any]) -> Template | None:
    """The template that a row of the listing describes; None where it is not approved, or wants more than text in its body."""
    name, language = text(row.get("name")), text(row.get("language"))
    if row.get("status") != "APPROVED" or not name or not language:
        return None
    pieces: dict[str, str] = {}
    for component in map(table, rows(row.get("components"))):
        kind = text(component.get("type")).upper()
        if not _fixed(kind, component):
            return None
        if kind in ("HEADER", "BODY", "FOOTER"):
            pieces[kind] = text(component.get("text"))
    body = pieces.get("BODY", "")
    if not body:
        return None
    labels = templates.labels(body)
    if all(label.isdecimal() for label in labels):
        labels.sort(key=int)
    whole = "\n".join(each for each in (pieces.get("HEADER", ""), templates.shown(body), pieces.get("FOOTER", "")) if each)
    return Template(name, language, text(row.get("category")), whole, tuple(labels))


def _fixed(kind: str, component: Mapping[str, Any]) -> bool:
    """Whether a component needs no value of us, the body's text apart."""
    match kind:
        case "BODY":
            return True
        case "HEADER":
            return component.get("format") == "TEXT" and not templates.labels(text(component.get("text")))
        case "FOOTER":
            return not templates.labels(text(component.get("text")))
        case "BUTTONS":
            buttons = [table(each) for each in rows(component.get("buttons"))]
            return all(each.get("type") in FIXED_BUTTONS and not templates.labels(text(each.get("url"))) for each in buttons)
        case _:
            return False


def fill(template: Template, values: Sequence[str]) -> Rich:
    """The content that sends `template` with `values`, in the order of its labels. Raises Unsupported."""
    summary, given = templates.filled(template, values)
    content = {"name": template.name, "language": template.language, "values": [[label, given[label]] for label in template.values]}
    return Rich("template", summary, content)


def message(filled: Rich) -> dict[str, Any]:
    """The message for content of kind "template" as `fill` makes it. Raises Unsupported."""
    name, language = text(filled.content.get("name")), text(filled.content.get("language"))
    pairs = [rows(each) for each in rows(filled.content.get("values"))]
    if not name or not language or any([type(each) for each in pair] != [str, str] for pair in pairs):
        raise Unsupported("a template needs its name, its language and its values")
    parameters: list[dict[str, str]] = []
    for label, value in pairs:
        named = {} if label.isdecimal() else {"parameter_name": label}
        parameters.append({"type": "text", **named, "text": value})
    sent: dict[str, Any] = {"name": name, "language": {"code": language}}
    if parameters:
        sent["components"] = [{"type": "body", "parameters": parameters}]
    return {"type": "template", "template": sent}
