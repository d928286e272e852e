"""Filling the places of an approved template, alike for all who send WhatsApp's."""

import re
from collections.abc import Sequence

from heliograph.ports.provider import Template, Unsupported

#: `{{1}}` or, in the named format, `{{order_number}}`.
PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
#: What WhatsApp takes in no value (132012, 131008): line breaks, tabs, more than four spaces in a row.
UNFIT = re.compile(r"[\r\n\t]| {5}")


def labels(body: str) -> list[str]:
    """The places of a text by their labels, each once, in order."""
    return list(dict.fromkeys(PLACE.findall(body)))


def shown(body: str) -> str:
    """The text with its places written alike, as `Template.text` has them."""
    return PLACE.sub(lambda place: f"{{{{{place[1]}}}}}", body)


def filled(template: Template, values: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What the contact will read, and the values by their labels. Raises Unsupported where a value is missing or unfit."""
    if len(values) != len(template.values):
        raise Unsupported(f"the template wants {len(template.values)} values, and {len(values)} are given")
    given = dict(zip(template.values, values, strict=True))
    for label, value in given.items():
        if not value.strip() or UNFIT.search(value):
            raise Unsupported(f"the value of {label} must be one line of text, without tabs or more than four spaces in a row")
    return PLACE.sub(lambda place: given.get(place[1], place[0]), template.text), given
