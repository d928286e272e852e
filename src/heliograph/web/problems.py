"""Errors as RFC 9457 problems: what happened, and what to do about it. Never a value that somebody sent."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.types import ExceptionHandlersMap

from heliograph.domain.decide import Refusal
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Conflict, Duplicate, Unavailable
from heliograph.services.context import Context, Invalid, Missing

MEDIA_TYPE = "application/problem+json"
#: Parameters whose own name the framework reserves, or gives to the whole body.
SENT_AS = {"wanted": "state", "data": "body"}
#: The framework's words for a parameter that was not given.
MISSING = re.compile(r"Missing required (?P<where>\w+) parameter '(?P<name>[\w-]+)'")


class FieldError(msgspec.Struct):
    """One field that does not fit."""

    field: str
    detail: str


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of every error. `detail` says what to do."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    errors: list[FieldError] = msgspec.field(default_factory=list)


class Refused(HTTPException):
    """A request that is answered with a problem. `errors` name fields as (field, what is wrong)."""

    def __init__(self, code: int, detail: str, *, errors: list[tuple[str, str]] | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(detail=detail, status_code=code, headers=dict(headers or {}))
        self.errors = [FieldError(field, what) for field, what in errors or []]


def answer(
    code: int, detail: str, *, errors: list[FieldError] | None = None, headers: Mapping[str, str] | None = None
) -> Response[Problem]:
    """A problem as a response."""
    problem = Problem(HTTPStatus(code).phrase, code, detail, errors=errors or [])
    return Response(problem, status_code=code, media_type=MEDIA_TYPE, headers={"cache-control": "no-store", **(headers or {})})


def _refused(request: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    return answer(error.status_code, error.detail, errors=error.errors, headers=error.headers)


#: What the framework's own refusals mean, in words of ours.
WORDS = {
    400: "The request cannot be read. Check it against /api/v1/openapi.json.",
    401: "Send an API token: Authorization: Bearer hgt_…",
    403: "This token may not do that.",
    404: "There is no such thing here. Check the address and the id.",
    405: "This address does not take that method.",
    413: "The body is too large. JSON may have 1 MB, a file 50 MB.",
    415: "Send JSON with the header Content-Type: application/json.",
}


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    code = error.status_code
    if code >= 500:
        return _bug(request, error)
    headers = error.headers if isinstance(error, MethodNotAllowedException) else None
    return answer(code, WORDS.get(code, HTTPStatus(code).phrase), headers=headers)


def _validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    found = [item for item in error.extra or [] if isinstance(item, Mapping)]
    errors = [FieldError(_field(item), _words(str(item.get("message", "")))) for item in found]
    if not errors and (absent := MISSING.match(error.detail)):
        errors = [FieldError(absent["name"], f"is missing from the {absent['where']}")]
    detail = "Change the fields that are named in errors." if errors else WORDS[400]
    return answer(400, detail, errors=errors)


def _field(item: Mapping[str, Any]) -> str:
    """The field as its sender knows it: the framework names our parameters."""
    name = str(item.get("key") or item.get("source") or "body")
    return SENT_AS.get(name, name)


def _words(message: str) -> str:
    """What is wrong with a field, without the value that the framework repeats."""
    return "is not one of the values that the description allows" if message.startswith("Invalid ") else message


def _missing(request: Request[Any, Any, Any], error: Missing) -> Response[Problem]:
    return answer(404, f"There is no such {error.args[0] if error.args else 'thing'} in this account. Check the id.")


def _invalid(request: Request[Any, Any, Any], error: Invalid) -> Response[Problem]:
    return answer(422, str(error))


def _refusal(request: Request[Any, Any, Any], error: Refusal) -> Response[Problem]:
    return answer(409, str(error))


def _unavailable(request: Request[Any, Any, Any], error: Unavailable) -> Response[Problem]:
    context: Context = request.app.state.application.context
    context.observe("store_unavailable", {"route": _route(request)})
    return answer(503, "The store cannot write now, so nothing was saved. Send it again.", headers={"retry-after": str(error.retry_after)})


def _conflict(request: Request[Any, Any, Any], error: Conflict) -> Response[Problem]:
    return answer(503, "Others were quicker again and again; nothing was saved. Send it again.", headers={"retry-after": "1"})


def _duplicate(request: Request[Any, Any, Any], error: Duplicate) -> Response[Problem]:
    return answer(409, "The same thing was done before.")


def _sealed(request: Request[Any, Any, Any], error: SealBroken) -> Response[Problem]:
    detail = "The channel's secrets do not open with this installation's master key; nothing was saved. An operator must put the key back."
    return answer(503, detail, headers={"retry-after": "60"})


def _too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[Problem]:
    return answer(400, "The JSON is nested too deeply.")


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    # The kind of error only: its text may repeat what somebody sent.
    context: Context = request.app.state.application.context
    context.observe("web_bug", {"error": type(error).__name__, "route": _route(request)})
    return answer(500, "Something is wrong with Heliograph; it has been noted. Whether anything was saved is not known.")


def _route(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("path_template", ""))


HANDLERS: ExceptionHandlersMap = {
    Refused: _refused,
    HTTPException: _http,
    ValidationException: _validation,
    Missing: _missing,
    Invalid: _invalid,
    Refusal: _refusal,
    Unavailable: _unavailable,
    Conflict: _conflict,
    Duplicate: _duplicate,
    SealBroken: _sealed,
    RecursionError: _too_deep,
    Exception: _bug,
}
