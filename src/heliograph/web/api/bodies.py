"""What every JSON body must be before anybody looks at its meaning: JSON, readable, and free of what stores cannot keep."""

from typing import Any

import msgspec
from litestar import Request

from heliograph.web.problems import Refused

#: Deeper structures are nobody's honest request.
DEPTH = 40
INT = 2**63
#: The way to a value: that of what holds it, and the key or number there. Only a refusal spells it out: keys may be long and many.
Place = tuple[()] | tuple["Place", str | int]


async def readable(request: Request[Any, Any, Any]) -> None:
    """Runs before each API route. Raises Refused (400, 415) and names the place, never the value."""
    if request.route_handler.opt.get("raw") or request.method in ("GET", "HEAD", "OPTIONS"):
        return
    body = await request.body()
    if not body:
        return
    if request.content_type[0] != "application/json":
        raise Refused(415, "Send JSON with the header Content-Type: application/json.")
    try:
        value = msgspec.json.decode(body)
    except RecursionError as deep:
        raise Refused(400, "The JSON is nested too deeply.") from deep
    except ValueError as wrong:
        raise Refused(400, f"The body is not JSON in UTF-8: {_why(wrong)}.") from wrong
    _walk(value, (), 0)


def _why(wrong: ValueError) -> str:
    if isinstance(wrong, UnicodeDecodeError):
        return f"byte {wrong.start} is not UTF-8"
    text = str(wrong)
    return text[:1].lower() + text[1:] if text.isascii() and len(text) < 200 else "malformed"


def _walk(value: Any, place: Place, depth: int) -> None:
    match value:
        case _ if depth > DEPTH:
            raise Refused(400, "The JSON is nested too deeply.")
        case str() if "\x00" in value:
            _refuse(place, "contains the character U+0000")
        case int() if not -INT <= value < INT:
            _refuse(place, "is a number beyond 64 bits")
        case list():
            for index, item in enumerate(value):
                _walk(item, (place, index), depth + 1)
        case dict():
            for key, item in value.items():
                _walk(key, place, depth + 1)
                _walk(item, (place, key), depth + 1)
        case _:
            pass


def _refuse(place: Place, what: str) -> None:
    steps = []
    while place:
        place, step = place
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:200]}")
    name = "".join(reversed(steps)).removeprefix(".")
    raise Refused(400, "Change the fields that are named in errors.", errors=[(name[:200] or "body", what)])
