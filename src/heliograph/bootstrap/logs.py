"""Structured logs that cannot leak: only fields on a list are written, and exceptions without their messages."""

import asyncio
import logging
import sys
import traceback
from collections import Counter
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog

#: Ids, codes and numbers: everything that a line may say. What is not here is dropped and counted.
FIELDS = frozenset({
    "account", "agent", "at", "attempt", "bytes", "calls", "channel", "code", "conversation", "credential", "delivery", "detector", "done",
    "doubted", "errno", "error", "failed", "fence", "fields_dropped", "final", "frames", "incident", "installation", "items", "kind",
    "line", "logger", "method", "missed", "module", "new", "number", "outcome", "pid", "port", "probe", "provider", "reason", "release",
    "role", "round", "route", "seconds", "signal", "state", "subject", "ticket", "token", "trial", "tries", "waiting", "what", "why",
    "worker",
})  # fmt: skip
_ENVELOPE = frozenset({"event", "level", "timestamp"})
_LONGEST = 200
#: Fields that were dropped, by name, so that somebody puts them on the list or removes them.
dropped: Counter[str] = Counter()
Event = MutableMapping[str, Any]


def only_listed(_: object, __: str, event: Event) -> Event:
    """Drop what is not on the list, and what is neither a short text nor a number."""
    lost = 0
    for name in [name for name in event if name not in _ENVELOPE]:
        value = event[name]
        fits = isinstance(value, (int, float, bool)) or (isinstance(value, str) and len(value) <= _LONGEST) or name == "frames"
        if name not in FIELDS or not fits:
            del event[name]
            dropped[name] += 1
            lost += 1
    if lost:
        event["fields_dropped"] = lost
    return event


def where(error: BaseException) -> dict[str, Any]:
    """An exception as its type and the places in this package that it went through; never its message, which may hold content."""
    package = str(Path(__file__).resolve().parent.parent)
    frames = [
        f"{Path(frame.filename).relative_to(package).as_posix()}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(package)
    ]
    return {"error": type(error).__name__, "frames": frames[-8:]}


class _Library(logging.Handler):
    """Lines of libraries: who said something and where, never what, since it may hold an address with a token or a body."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "module": record.module, "line": record.lineno}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= where(record.exc_info[1])
        structlog.get_logger().log(record.levelno, "library", **fields)


def configure(*, form: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for the process: one JSON object a line on standard error, or readable lines on a terminal."""
    out = stream or sys.stderr
    pretty = form == "pretty" or (form == "auto" and out.isatty())
    end = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback) if pretty else structlog.processors.JSONRenderer()
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            only_listed,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            end,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "litestar", "aiohttp", "aiohttp.access"):
        chatty = logging.getLogger(name)
        chatty.handlers[:] = []
        chatty.propagate = True
        chatty.setLevel(logging.WARNING)
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        structlog.get_logger().critical("uncaught", **where(error))


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """What nobody awaited is logged like everything else, without its message."""

    def noticed(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        structlog.get_logger().error("loop_error", **(where(error) if isinstance(error, BaseException) else {}))

    loop.set_exception_handler(noticed)


#: What is worth a line in the log at each level; everything else observed is for the metrics and for debugging.
_LEVELS = {
    "attempt_concluded": "debug", "inbound_taken": "debug", "probe_concluded": "debug", "provider_bug": "error", "delivery_bug": "error",
    "claim_bug": "error", "round_bug": "error", "round_failed": "warning", "claim_failed": "warning", "webhook_taken": "debug",
    "webhook_refused": "warning", "web_bug": "error", "store_unavailable": "warning", "poll_failed": "debug", "poll_stopped": "warning",
    "desk_pushed": "debug", "desk_reply_taken": "debug", "desk_trouble": "warning", "desk_refused": "warning", "desk_sealed": "error",
    "operator_not_paged": "error", "admin_not_mailed": "warning", "heartbeat_withheld": "error", "heartbeat_lost": "warning",
}  # fmt: skip


def log(name: str, fields: Mapping[str, str | int | float]) -> None:
    """Write one line about what has happened."""
    structlog.get_logger().log(logging.getLevelNamesMapping()[_LEVELS.get(name, "info").upper()], name, **fields)
