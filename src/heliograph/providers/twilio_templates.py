"""Twilio's Content templates: which of them an agent can send with text values, and how one goes out.

Source: the Content API's list of contents with their approvals, and the Messages API's ContentSid and ContentVariables.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.domain.content import Rich
from heliograph.ports.provider import Template, Unsupported
from heliograph.providers.wire import table, text

PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
#: What WhatsApp takes in no value.
UNFIT = re.compile(r"[\n\r\t]| {5}")


def read(entry: Any) -> Template | None:
    """An approved template whose only changing part is its text; None for any other.

    Names at Twilio need not differ, so the Content SID is part of the name here.
    """
    found = table(entry)
    approval, kinds = table(found.get("approval_requests")), table(found.get("types"))
    sid, name = text(found.get("sid")), text(found.get("friendly_name"))
    bodies = [text(table(kind).get("body")) for kind in kinds.values() if not table(kind).get("media")]
    if not sid or approval.get("status") != "approved" or len(kinds) != 1 or not bodies or not bodies[0]:
        return None
    labels = tuple(dict.fromkeys(PLACE.findall(bodies[0])))
    if set(PLACE.findall(json.dumps(kinds))) - set(labels):
        return None
    body = PLACE.sub(lambda place: f"{{{{{place[1]}}}}}", bodies[0])
    return Template(f"{name} {sid}".strip(), text(found.get("language")), text(approval.get("category")), body, labels)


def fill(template: Template, values: Sequence[str]) -> Rich:
    """The content that sends `template` with `values`, in the order of its labels. Raises Unsupported."""
    if len(values) != len(template.values):
        raise Unsupported(f"the template wants {len(template.values)} values, and {len(values)} are given")
    given = dict(zip(template.values, values, strict=True))
    for label, value in given.items():
        if not value.strip() or UNFIT.search(value):
            raise Unsupported(f"the value of {label} must be one line of text, without tabs or more than four spaces in a row")
    summary = PLACE.sub(lambda place: given.get(place[1], place[0]), template.text)
    return Rich("template", summary, {"content_sid": template.name.rpartition(" ")[2], "variables": given})


def fields(filled: Rich) -> dict[str, str]:
    """The fields of a message for content of kind "template" as `fill` makes it. Raises Unsupported."""
    sid, given = text(filled.content.get("content_sid")), filled.content.get("variables")
    if not sid or not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise Unsupported("a template needs its Content SID and its values")
    return {"ContentSid": sid} | ({"ContentVariables": json.dumps(dict(given), ensure_ascii=False)} if given else {})
