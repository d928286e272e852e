"""One HTTP call to a provider, with certainty as part of every failure."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpFile:
    """One file of a multipart request."""

    field: str
    name: str
    media_type: str
    data: bytes = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = dataclasses.field(repr=False)


class NotSent(Exception):
    """The request certainly did not reach the provider: name, connect or TLS failed.

    The message names the stage only ("courier", "url", "address", "resolve", "refused", "connect",
    "connect_timeout", "tls"), never the URL: some providers carry the secret in it.
    """


class MaybeSent(Exception):
    """The request was written, in whole or in part, and no complete answer came.

    The message names what happened ("read_timeout", "closed", "reset", "truncated", "malformed",
    "too_large", "internal"), never the URL.
    """


class Http(Protocol):
    """The one HTTP client. Never repeats a request, never follows a redirect."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float,
        max_bytes: int = 1_048_576,
    ) -> HttpResponse:
        """Make exactly one request; `timeout` (seconds) is a hard total deadline.

        `body` is sent as it is; `form` with `files` makes a multipart request.
        Raises NotSent or MaybeSent.
        """
        ...
