"""Requests and outcomes as values, so that one core runs behind a real server and in virtual time."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]

#: Times are integer microseconds UTC.
Now = Callable[[], int]
#: A number in [0, 1).
Rand = Callable[[], float]

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request."""

    field: str
    name: str
    media_type: str
    data: bytes = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` is still percent-encoded, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Upload, ...] = field(default=(), repr=False)

    @property
    def origin(self) -> str:
        """Scheme and host as the caller addressed us, for links in answers."""
        return f"http://{self.headers.get('host', 'sandbox.invalid')}"

    def json(self) -> Any:
        """The body as JSON. Raises ValueError (also for bad UTF-8)."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    code: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_header(self, name: str, value: str) -> "Response":
        """The same response with one more header."""
        return replace(self, headers={**self.headers, name: value})


def answer(code: int, value: Any) -> Response:
    """A JSON response."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(code, body, {"content-type": "application/json; charset=utf-8"})


# --- what a transport must carry out ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """Write the response after `delay` seconds."""

    response: Response
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer, after `delay` seconds. `taken` says what the service did before."""

    taken: bool
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """The service is down: the connection is not even accepted."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Write the body `chunk` bytes at a time with `interval` seconds in between."""

    response: Response
    chunk: int
    interval: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Announce the whole body, write the first `keep` bytes of it, close."""

    response: Response
    keep: int
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Park:
    """Nothing yet. Call `again` at `until`, or, if `wakeable`, as soon as anything in the sandbox changes.

    `again` must be called even if the caller has gone away meanwhile: the service may still act.
    """

    until: int
    wakeable: bool
    again: "Callable[[], Outcome]" = field(repr=False)


Outcome = Reply | Drop | Refuse | Drip | Cut | Park
