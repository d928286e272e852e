"""A service that takes every key once, and its provider: the dedupe class KEY, which no shipped provider has yet."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from heliograph.domain.content import Content, Text
from heliograph.domain.reasons import Reason
from heliograph.domain.split import characters
from heliograph.ports.http import Http, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import (
    Accepted,
    Address,
    Advance,
    CheckResult,
    DedupeClass,
    Deferred,
    Field,
    Inbound,
    Invalid,
    Part,
    ProviderSpec,
    Rates,
    RawRequest,
    Refused,
    SendResult,
    Support,
    Unknown,
    Unsupported,
    Valid,
)
from heliograph.providers import certainty
from heliograph.sandbox.faults import Fault, Faults, Mode, carry_out, network_outcome
from heliograph.sandbox.journal import noted
from heliograph.sandbox.wire import SECOND, Outcome, Rand, Request, Response, answer
from heliograph.sandbox.world import Sandbox

HOUR = 3600.0
#: Seconds for which the service remembers a key, and what the provider trusts of it.
REMEMBERED = 24 * HOUR
TRUSTED = 24 * HOUR - 300.0
#: Names of faults are the sandbox's; its switches know two services only, and this one has switches of its own.
BORROWED = "telegram"
CODES = {Mode.REVOKED: 401, Mode.NOT_PERMITTED: 403, Mode.RATE_LIMITED: 429}


class KeyedService:
    """POST /keyed/send {to, text, key}: 200 when taken, 409 with the first id when the key is known. GET /keyed/me."""

    def __init__(self, sandbox: Sandbox, rand: Rand) -> None:
        self._sandbox = sandbox
        self.faults = Faults(rand, lambda: None)
        self._keys: dict[str, tuple[int, str]] = {}
        self._count = 0

    def handle(self, request: Request) -> Outcome:
        """Decide about one request."""
        name = request.path.rpartition("/")[2]
        group = "send" if name == "send" else "read"
        body = request.json() if request.body else {}
        arrival = self._sandbox.journal.arrive(
            at=self._sandbox.now(), service="keyed", operation=name, group=group, key="", conversation=str(body.get("to", ""))
        )
        cut_off = self.faults.network(BORROWED, name, group)
        if cut_off:
            outcome = network_outcome(cut_off)
        else:
            strike = self.faults.strike(BORROWED, name, group, "")
            take: Callable[[], Response] = (lambda: self._take(body)) if group == "send" else (lambda: answer(200, {"id": "me"}))
            outcome = carry_out(strike, self._sandbox.now, _refuse, take)
        return noted(arrival, outcome)

    def _take(self, body: Mapping[str, Any]) -> Response:
        at, key = self._sandbox.now(), str(body["key"])
        known = self._keys.get(key)
        if known is not None and at - known[0] < REMEMBERED * SECOND:
            return answer(409, {"id": known[1]})
        self._count += 1
        id = f"k{self._count}"
        self._keys[key] = (at, id)
        self._sandbox.tally.take(
            at=at, service="keyed", conversation=str(body["to"]), message_id=id, text=str(body["text"]), metadata={"key": key}
        )
        return answer(200, {"id": id})


def _refuse(fault: Fault) -> Response:
    response = answer(fault.code or CODES.get(fault.mode, 500), {"error": fault.mode.value})
    return response.with_header("retry-after", str(fault.retry_after)) if fault.retry_after is not None else response


class Keyed:
    """The provider."""

    spec: ClassVar[ProviderSpec] = ProviderSpec(
        name="keyed", title="Keyed", fields=(Field("token", "Token", secret=True),), dedupe=DedupeClass.KEY,
        advance=Advance.ON_ACCEPTANCE, text_limit=4096, measure=characters,
        file_limit=0, content={"text": Support.FULL}, capabilities=frozenset(),
        settle=0.0, timeout=10.0, reply_window=None, key_lifetime=TRUSTED, pause=0.0, receipts=frozenset(),
        rates=Rates(), setup=(), docs="",
    )  # fmt: skip

    def __init__(self, config: Mapping[str, str], http: Http) -> None:
        self._http = http

    def render(self, contents: Sequence[Content]) -> list[Part]:
        """Text only. Raises Unsupported."""
        if not all(isinstance(content, Text) for content in contents):
            raise Unsupported("text only")
        return [Part("text", {"text": content.body}) for content in contents if isinstance(content, Text)]

    async def send(self, to: Address, part: Part, key: str) -> SendResult:
        """One call; a known key counts as accepted."""
        got = await self._call("POST", "send", {"to": to.conversation, "text": part.payload["text"], "key": key})
        if not isinstance(got, HttpResponse):
            return got
        try:
            return Accepted(str(json.loads(got.body)["id"]))
        except (ValueError, KeyError):
            return Unknown(Reason.NO_ANSWER, code="unreadable")

    async def check(self) -> CheckResult:
        """Ask who we are."""
        got = await self._call("GET", "me", None)
        if isinstance(got, HttpResponse):
            return Valid("me")
        if isinstance(got, Refused) and got.reason in (Reason.BAD_CREDENTIALS, Reason.NOT_PERMITTED):
            return Invalid(got.reason, got.code)
        return certainty.as_check(got)

    def verify(self, request: RawRequest) -> None:
        """It calls nobody."""

    def parse(self, request: RawRequest) -> list[Inbound]:
        """It calls nobody."""
        return []

    async def _call(self, method: str, name: str, body: Any) -> HttpResponse | SendResult:
        data = json.dumps(body).encode() if body is not None else None
        try:
            got = await self._http.request(method, f"http://world.invalid/keyed/{name}", headers={}, body=data, timeout=10.0)
        except NotSent as error:
            return certainty.not_sent(error)
        except MaybeSent as error:
            return certainty.maybe_sent(error)
        match got.status:
            case 200 | 409:
                return got
            case 401:
                return Refused(Reason.BAD_CREDENTIALS, "401")
            case 403:
                return Refused(Reason.NOT_PERMITTED, "403")
            case 429:
                return Deferred(Reason.RATE_LIMITED, certainty.retry_after(got.headers), "429")
            case _:
                return Unknown(Reason.PROVIDER_DOWN, str(got.status))
