"""The agents' page and its parts."""

from importlib import resources

from heliograph.sandbox.wire import Response

_FILES = {
    "/agent": ("desk.html", "text/html; charset=utf-8"),
    "/sandbox/zendesk/page/desk.css": ("desk.css", "text/css; charset=utf-8"),
    "/sandbox/zendesk/page/desk.js": ("desk.js", "text/javascript; charset=utf-8"),
    "/sandbox/zendesk/page/channels.js": ("channels.js", "text/javascript; charset=utf-8"),
}
PATHS = tuple(_FILES)
#: Where the news of the page stream from; the query is given to `desk.news`.
STREAM = "/sandbox/zendesk/stream"


def page(path: str) -> Response:
    """A part of the page. Nothing forbids framing: a demonstration shows it beside the workspace. Raises KeyError."""
    name, media_type = _FILES[path]
    data = resources.files("heliograph.sandbox.zendesk").joinpath("page", name).read_bytes()
    headers = {
        "content-type": media_type, "cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'",
    }  # fmt: skip
    return Response(200, data, headers)
