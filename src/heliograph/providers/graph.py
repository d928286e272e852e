"""What Meta's messaging services share: the calls of the Graph API, its errors and usage headers, and the proofs of its webhooks.

Source: Meta's pages on the Graph API (error handling, rate limits, paging) and on webhooks, as read by pywa and others.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from heliograph.domain.reasons import Reason
from heliograph.ports.http import Http, HttpFile, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import BadSignature, Deferred, Field, Inconclusive, PollFailed, RawRequest, Refused, SendResult, Unknown
from heliograph.providers import certainty, fetching, proofs, wire
from heliograph.providers.wire import rows, table, text

API_VERSION = "v23.0"
BASE_URL = "https://graph.facebook.com"

#: Fields that every service of the family has, to be put into its spec.
VERSION_FIELD = Field("api_version", "Graph API version", required=False, default=API_VERSION)
BASE_URL_FIELD = Field("base_url", "Address of the API", required=False, default=BASE_URL)
SECRET_FIELD = Field(
    "webhook_secret",
    "App secret",
    secret=True,
    required=False,
    hint="App dashboard, App settings, Basic. While it is changed: both, separated by a space.",
)
VERIFY_TOKEN_FIELD = Field(
    "verify_token",
    "Verify token",
    secret=True,
    required=False,
    hint="A word of your own, typed in here and beside the callback URL.",
)

#: Errors by (code, subcode); subcode 0 holds for every subcode that has no row of its own.
Codes = Mapping[tuple[int, int], Reason]

#: Seconds. Long enough for the slow end of a working API, short of the channel's deadline.
CALL_TIMEOUT = 15.0
PAGE_SIZE = 100
MOST_PAGES = 20

#: Percent of an allowance -> seconds to rest. Meta counts over a rolling hour and refuses at 100.
NEARLY_USED, NEARLY_REST = 95.0, 10.0
USED_UP, USED_UP_REST = 100.0, 60.0
PERCENTAGES = ("call_count", "total_time", "total_cputime")

#: Reasons by which a refusal asks to come back. NO_ANSWER in a table marks an "error" that may have been carried out.
COME_BACK = frozenset({Reason.RATE_LIMITED, Reason.PROVIDER_DOWN, Reason.NETWORK})


@dataclass(frozen=True, slots=True)
class Ok:
    """A success: its JSON object, and the seconds that its headers ask to rest."""

    answer: Mapping[str, Any]
    rest: float = 0.0


class Graph:
    """The Graph API with one access token. `codes` is the calling provider's error table.

    `use_cases` are the types in X-Business-Use-Case-Usage that limit what is called here; empty means all of them.
    """

    def __init__(
        self,
        config: Mapping[str, str],
        http: Http,
        *,
        token: str,
        codes: Codes,
        base_url: str = BASE_URL,
        use_cases: frozenset[str] = frozenset(),
    ) -> None:
        self._http = http
        self._base = (config.get("base_url") or base_url).rstrip("/")
        version = (config.get("api_version") or API_VERSION).strip().strip("/")
        self._root = f"{self._base}/{quote(version, safe='.')}"
        # A line break in a header is refused by every HTTP client with an exception of its own: no pasted token may cause it.
        self._authorization = {"authorization": f"Bearer {''.join(token.split())}"}
        self._codes = codes
        self._use_cases = use_cases

    def __repr__(self) -> str:
        return "Graph()"

    async def call(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (),
        timeout: float = CALL_TIMEOUT,
        max_bytes: int = 1_048_576,
    ) -> Ok | SendResult:
        """One call of `/version/path…`: the answer's JSON object, or what its error means. Never Accepted.

        The parts of `path` are quoted. `body` goes as JSON; `form` and `files` as a multipart request.
        """
        url = "/".join([self._root, *(quote(each, safe="") for each in path)]) + (f"?{urlencode(query)}" if query else "")
        try:
            if form is not None:
                response = await self._http.request(
                    method, url, headers=self._authorization, form=form, files=files, timeout=timeout, max_bytes=max_bytes
                )
            elif body is not None:
                headers = {**self._authorization, "content-type": "application/json"}
                response = await self._http.request(
                    method, url, headers=headers, body=wire.encode(body), timeout=timeout, max_bytes=max_bytes
                )
            else:
                response = await self._http.request(method, url, headers=self._authorization, timeout=timeout, max_bytes=max_bytes)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        return read_answer(response, self._codes, self._use_cases)

    async def listing(
        self, *path: str, query: Mapping[str, str] | None = None, timeout: float = CALL_TIMEOUT, most: int = MOST_PAGES
    ) -> list[Mapping[str, Any]]:
        """All objects of a listing, page by page, up to `most` pages. Raises PollFailed.

        The address of a next page carries the token, and leads wherever it says; so it is made here, by the cursor.
        """
        found: list[Mapping[str, Any]] = []
        asked = {"limit": str(PAGE_SIZE), **(query or {})}
        for _ in range(most):
            got = await self.call("GET", *path, query=asked, timeout=timeout, max_bytes=8_388_608)
            if not isinstance(got, Ok):
                raise PollFailed(certainty.as_check(got))
            if not isinstance(got.answer.get("data"), list):
                raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="ok_without_data"))
            found += [table(each) for each in got.answer["data"]]
            paging = table(got.answer.get("paging"))
            after = text(table(paging.get("cursors")).get("after"))
            if not after or "next" not in paging:
                return found
            asked["after"] = after
        return found

    async def download(self, url: str, *, authorized: bool, timeout: float, max_bytes: int) -> bytes:
        """The bytes behind an address that Meta has given. Raises PollFailed.

        `authorized`: the address wants our token, which goes over TLS only, or to the API's own host where that is a sandbox.
        """
        if not url.startswith("https://") and not fetching.same_origin(url, self._base):
            raise PollFailed(Inconclusive(Reason.NO_ANSWER, code="not_https"))
        headers = self._authorization if authorized else {}
        return await fetching.file(self._http, url, headers=headers, timeout=timeout, max_bytes=max_bytes)


# --- answers ----------------------------------------------------------------------------------------


def read_answer(response: HttpResponse, codes: Codes, use_cases: frozenset[str] = frozenset()) -> Ok | SendResult:
    """What an answer of the Graph API means. Never Accepted.

    5xx is ambiguous, and so is a success that does not read as one. Only a 5xx that names a missing right is a refusal:
    Meta documents one so (3, "capability or permissions issue", with 500), and what is not permitted is not carried out.
    """
    answer = wire.decode(response.body)
    error = table(table(answer).get("error"))
    number = response.status
    if 200 <= number < 300 and not error:
        if not isinstance(answer, dict) or not answer:
            return Unknown(Reason.NO_ANSWER, code=str(number))
        return Ok(answer, rest(response.headers, use_cases))
    code, detail = error_code(error) or str(number), error_detail(error)
    reason = error_reason(error, codes) if error else HTTP_REASONS.get(number, Reason.OTHER)
    if number >= 500 and reason not in certainty.CREDENTIAL_REASONS:
        return Unknown(Reason.PROVIDER_DOWN, code, detail)
    if number == 408 or (number < 400 and not error):
        return Unknown(Reason.NO_ANSWER, code, detail)
    if reason is Reason.OTHER and (number == 429 or error.get("is_transient") is True):
        reason = Reason.RATE_LIMITED if number == 429 else Reason.PROVIDER_DOWN
    if reason is Reason.NO_ANSWER:
        return Unknown(reason, code, detail)
    if reason in COME_BACK:
        return Deferred(reason, _come_back(response.headers, use_cases), code, detail)
    return Refused(reason, code, detail)


#: For answers without an error object: a gateway's, or those of something that is no Graph API.
HTTP_REASONS = {401: Reason.BAD_CREDENTIALS, 413: Reason.TOO_LARGE, 429: Reason.RATE_LIMITED}


def error_code(error: Mapping[str, Any]) -> str:
    """Meta's numbers as one word: "code", or "code/subcode"; "" where there is none."""
    code, subcode = _numbers(error)
    if code is None:
        return ""
    return f"{code}/{subcode}" if subcode else str(code)


def error_reason(error: Mapping[str, Any], codes: Codes) -> Reason:
    """What an error object means by `codes`. Meta: rely on the numbers, never on a title.

    Also for the objects in `errors` of a webhook, which have the same fields.
    """
    code, subcode = _numbers(error)
    if code is None:
        return Reason.OTHER
    return codes.get((code, subcode)) or codes.get((code, 0)) or Reason.OTHER


def error_detail(error: Mapping[str, Any]) -> str:
    """Meta's prose about an error, for the one who looks into it: untrusted."""
    details = text(table(error.get("error_data")).get("details"))
    return ": ".join(each for each in (text(error.get("message")) or text(error.get("title")), details) if each)


def _numbers(error: Mapping[str, Any]) -> tuple[int | None, int]:
    code, subcode = error.get("code"), error.get("error_subcode")
    found = code if type(code) is int and abs(code) < 10**12 else None
    return found, subcode if type(subcode) is int and 0 <= subcode < 10**12 else 0


# --- usage ------------------------------------------------------------------------------------------


def rest(headers: Mapping[str, str], use_cases: frozenset[str] = frozenset()) -> float:
    """Seconds to send nothing more, by the usage headers of an answer; 0.0 where there is room.

    X-App-Usage is one object of percentages, X-Business-Use-Case-Usage lists them by business and use case, with the
    minutes until calls are taken again (`estimated_time_to_regain_access`) once they no longer are.
    """
    return min(max((_rest_of(each) for each in _usages(headers, use_cases)), default=0.0), certainty.LONGEST_WAIT)


def _usages(headers: Mapping[str, str], use_cases: frozenset[str]) -> list[Mapping[str, Any]]:
    found = [table(wire.decode(headers.get(name, "").encode("utf-8", "replace"))) for name in ("x-app-usage", "x-page-usage")]
    by_business = table(wire.decode(headers.get("x-business-use-case-usage", "").encode("utf-8", "replace")))
    for entries in by_business.values():
        found += [table(each) for each in rows(entries) if not use_cases or table(each).get("type") in use_cases]
    return found


def _rest_of(usage: Mapping[str, Any]) -> float:
    if minutes := wire.number(usage.get("estimated_time_to_regain_access")):
        return max(minutes, 0.0) * 60
    used = max((wire.number(usage.get(each)) or 0.0 for each in PERCENTAGES), default=0.0)
    return USED_UP_REST if used >= USED_UP else NEARLY_REST if used >= NEARLY_USED else 0.0


def _come_back(headers: Mapping[str, str], use_cases: frozenset[str]) -> float | None:
    told = certainty.retry_after(headers)
    return told if told is not None else rest(headers, use_cases) or None


# --- webhooks ---------------------------------------------------------------------------------------


def verify(request: RawRequest, good: Sequence[bytes]) -> None:
    """Compare X-Hub-Signature-256 ("sha256=" and the hex HMAC of the body) by each secret. Raises BadSignature."""
    wanted = [b"sha256=" + hmac.new(secret, request.body, hashlib.sha256).hexdigest().encode() for secret in good]
    if not proofs.proves(request.headers.get("x-hub-signature-256", ""), wanted):
        raise BadSignature("X-Hub-Signature-256")


def challenge(request: RawRequest, verify_token: str) -> bytes | None:
    """The answer to Meta's question whether the address is ours; None where it is no such question.

    Raises BadSignature where the token in it is not `verify_token`, or there is none to compare with.
    """
    if request.method != "GET" or request.query.get("hub.mode") != "subscribe":
        return None
    if not proofs.proves(request.query.get("hub.verify_token", ""), [verify_token.encode("utf-8", "replace")]) or not verify_token:
        raise BadSignature("hub.verify_token")
    return request.query.get("hub.challenge", "").encode("utf-8", "replace")
