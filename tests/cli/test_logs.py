"""A log line holds listed fields and nothing else, whoever writes it."""

import ast
import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from heliograph.bootstrap import logs
from heliograph.bootstrap.access import logged


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    written = io.StringIO()
    logs.configure(form="json", level="debug", stream=written)
    yield written
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_fields_that_are_not_listed_are_dropped_and_counted(stream: io.StringIO) -> None:
    before = logs.dropped["text"]
    logs.log("attempt_concluded", {"provider": "sunshine", "seconds": 0.5, "text": "canary", "phone": "canary", "code": "c" * 500})
    [line] = lines(stream)
    assert line["provider"] == "sunshine" and line["seconds"] == 0.5 and line["fields_dropped"] == 3
    assert "canary" not in stream.getvalue() and "ccc" not in stream.getvalue()
    assert logs.dropped["text"] == before + 1


def test_libraries_are_heard_without_their_words(stream: io.StringIO) -> None:
    try:
        raise ValueError("canary in the exception")
    except ValueError:
        logging.getLogger("aiohttp.client").exception("canary for %s", "canary")
    [line] = lines(stream)
    assert line["event"] == "library" and line["logger"] == "aiohttp.client" and line["error"] == "ValueError"
    assert "canary" not in stream.getvalue()


def test_what_nobody_awaited_is_logged_without_its_message(stream: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    logs.watch_loop(loop)
    loop.call_exception_handler({"message": "canary", "exception": RuntimeError("canary")})
    loop.close()
    [line] = lines(stream)
    assert line["event"] == "loop_error" and line["error"] == "RuntimeError"
    assert "canary" not in stream.getvalue()


async def test_a_request_is_logged_by_its_route_alone(stream: io.StringIO) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["path_template"] = "/tickets/{ticket:str}"
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"canary"})

    async def nothing(*_: Any) -> Any:
        return {}

    scope = {"type": "http", "method": "GET", "path": "/tickets/canary", "query_string": b"canary", "headers": [(b"cookie", b"canary")]}
    await logged(app)(scope, nothing, nothing)
    [line] = lines(stream)
    assert (line["event"], line["method"], line["route"], line["code"]) == ("request", "GET", "/tickets/{ticket:str}", 404)
    assert "canary" not in stream.getvalue()


def test_whatever_is_observed_can_be_written() -> None:
    """Every field that a call of `observe` or of a logger names is on the list: a line that lost its fields tells nobody anything."""
    package, unlisted = Path(logs.__file__).parents[1], set()
    for path in package.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("context.observe", "logs.log")) and len(call.args) == 2:
                fields = call.args[1].keys if isinstance(call.args[1], ast.Dict) else []
                unlisted |= {(path.name, key.value) for key in fields if isinstance(key, ast.Constant) and key.value not in logs.FIELDS}
    assert unlisted == set()
