"""The pages a person looks at (phone and strip) and the news that keeps them up to date."""

import json
from collections.abc import Callable, Mapping
from importlib import resources

from heliograph.sandbox import control, views
from heliograph.sandbox.wire import Response
from heliograph.sandbox.world import Sandbox

#: Gives the present state as one line of JSON.
News = Callable[[], str]

_FILES = {
    "/phone": ("phone.html", "text/html; charset=utf-8"),
    "/strip": ("strip.html", "text/html; charset=utf-8"),
    "/sandbox/page/sandbox.css": ("sandbox.css", "text/css; charset=utf-8"),
    "/sandbox/page/phone.js": ("phone.js", "text/javascript; charset=utf-8"),
    "/sandbox/page/strip.js": ("strip.js", "text/javascript; charset=utf-8"),
}
PATHS = tuple(_FILES)


def page(path: str) -> Response:
    """A page or its parts. Nothing forbids framing: the demonstration shows the phone beside the desk."""
    name, media_type = _FILES[path]
    data = resources.files("heliograph.sandbox").joinpath("phone", name).read_bytes()
    headers = {
        "content-type": media_type, "cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'self'; img-src 'self' http: https: data:; object-src 'none'; base-uri 'none'",
    }  # fmt: skip
    return Response(200, data, headers)


def strip_news(sandbox: Sandbox) -> str:
    """What the strip shows."""
    faults = [fault.to_json() for fault in sandbox.faults.active()]
    return _line({**control.counts(sandbox), "faults": faults, "tabs": views.tabs(sandbox)})


def phone_news(sandbox: Sandbox, query: Mapping[str, str]) -> str:
    """What a phone shows: the conversation asked for, or nothing if it is gone; and which others there are."""
    service, conversation = query.get("service", "sunshine"), query.get("conversation", "")
    try:
        shown = views.phone(sandbox, service, conversation)
    except LookupError:
        shown = None
    return _line({"phone": shown, "phones": views.phones(sandbox), "tabs": views.tabs(sandbox)})


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
