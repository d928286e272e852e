"""Twilio's Content templates: which of them an agent can send with text values, and how one goes out.

Source: the Content API's list of contents with their approvals, and the Messages API's ContentSid and ContentVariables.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.domain.content import Rich
from heliograph.ports.provider import Template, Unsupported
from heliograph.providers.templates import filled, labels, shown
from heliograph.providers.wire import table, text


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
    values = labels(bodies[0])
    if set(labels(json.dumps(kinds))) - set(values):
        return None
    return Template(
        f"{name} {sid}".strip(), text(found.get("language")), text(approval.get("category")), shown(bodies[0]), tuple(values)
    )  # fmt: skip


def fill(template: Template, values: Sequence[str]) -> Rich:
    """The content that sends `template` with `values`, in the order of its labels. Raises Unsupported."""
    summary, given = filled(template, values)
    return Rich("template", summary, {"content_sid": template.name.rpartition(" ")[2], "variables": given})


def fields(content: Rich) -> dict[str, str]:
    """The fields of a message for content of kind "template" as `fill` makes it. Raises Unsupported."""
    sid, given = text(content.content.get("content_sid")), content.content.get("variables")
    if not sid or not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise Unsupported("a template needs its Content SID and its values")
    return {"ContentSid": sid} | ({"ContentVariables": json.dumps(dict(given), ensure_ascii=False)} if given else {})
