"""The simulated Sunshine Conversations service: which operation a request means, who may call it, what the faults make of it."""

from urllib.parse import unquote

from heliograph.sandbox.faults import Fault, Strike, carry_out, code_of, network_outcome
from heliograph.sandbox.journal import Arrival, Journal, noted
from heliograph.sandbox.sunshine import apps, conversations, integrations, messages, users
from heliograph.sandbox.sunshine.acts import acts
from heliograph.sandbox.sunshine.auth import authenticate, claimed_key
from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route
from heliograph.sandbox.sunshine.contact import Contacts
from heliograph.sandbox.sunshine.phone import phone
from heliograph.sandbox.sunshine.state import Key
from heliograph.sandbox.wire import Json, Outcome, Reply, Request, Response, answer

_ROUTES = (*apps.ROUTES, *users.ROUTES, *conversations.ROUTES, *messages.ROUTES, *integrations.ROUTES)
_NOWHERE = Route("", "", "Unknown", lambda center, call: _not_found(), "read")
_FAULT_ERRORS = {
    400: ("bad_request", "Bad request"),
    401: ("unauthorized", "Authorization is required"),
    402: ("payment_required", "Payment required"),
    403: ("forbidden", "Forbidden"),
    429: ("too_many_requests", "Too many requests"),
    500: ("internal_server_error", "Internal server error"),
    503: ("service_unavailable", "Service unavailable"),
}


class Sunshine:
    """Answers requests whose path starts with /sc."""

    name = "sunshine"
    title = "Sunshine"

    def __init__(self, center: Center, journal: Journal) -> None:
        self.center = center
        self.contacts = Contacts(center)
        self.acts = acts(self.contacts)
        self._journal = journal
        self._table: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in _ROUTES:
            pattern = route.path.strip("/").split("/")
            self._table.setdefault((route.method, len(pattern)), []).append((pattern, route))

    def owns(self, path: str) -> bool:
        """See Service."""
        return path == "/sc" or path.startswith("/sc/")

    def phones(self) -> list[Json]:
        """See Service."""
        return [
            {"service": self.name, "conversation": place.id, "name": app.users[next(iter(place.participants))].name}
            for app in self.center.apps.values()
            for place in app.conversations.values()
            if place.participants
        ]

    def phone(self, conversation: str) -> Json:
        """See Service."""
        return phone(self.contacts, conversation, self.center.now())

    def revoke(self, key: str, *, revoked: bool) -> bool:
        """See Service."""
        found = self.center.keys.get(key)
        if found is not None:
            found.revoked = revoked
        return found is not None

    def file(self, id: str) -> Response:
        """See Service: files have addresses of their own here."""
        raise LookupError("no such file")

    def handle(self, request: Request) -> Outcome:
        """Decide about one request."""
        pieces = [unquote(p) for p in request.path.strip("/").split("/")][1:]
        if pieces[:2] == ["attachments", "v2"] and len(pieces) == 4 and request.method == "GET":
            return self._serve_attachment(request, pieces[2])
        route, args = self._find(request.method, pieces)
        arrival = self._journal.arrive(
            at=self.center.now(), service="sunshine", operation=route.operation, group=route.group, key=claimed_key(request),
            conversation=args.get("conversationId", ""),
        )  # fmt: skip
        return noted(arrival, self._decide(request, route, args, arrival))

    def _decide(self, request: Request, route: Route, args: dict[str, str], arrival: Arrival) -> Outcome:
        faults = self.center.faults
        cut_off = faults.network("sunshine", route.operation, route.group)
        if cut_off:
            return network_outcome(cut_off)
        key = authenticate(request, self.center.keys, self.center.now())
        if key is None:
            return Reply(_unauthorized())
        strike = faults.strike("sunshine", route.operation, route.group, key.id)
        return carry_out(strike, self.center.now, _refuse, lambda: self._take(request, route, args, key, strike, arrival))

    def _take(self, request: Request, route: Route, args: dict[str, str], key: Key, strike: Strike, arrival: Arrival) -> Response:
        if len(request.body) > self.center.settings.body_limit and not request.files:
            return answer(413, {"errors": [{"code": "payload_too_large", "title": "Request entity too large"}]})
        if key.kind not in route.scopes:
            return _forbidden()
        app = self.center.apps.get(args["appId"]) if "appId" in args else None
        if app and key.kind != "account" and key.app_id != app.id:
            return _forbidden()
        try:
            response = route.handler(self.center, Call(request, key, args, app, strike.receipt))
        except Problem as problem:
            return problem.response
        arrival.taken = request.method != "GET" and response.code < 300
        return response

    def _find(self, method: str, pieces: list[str]) -> tuple[Route, dict[str, str]]:
        for pattern, route in self._table.get((method, len(pieces)), ()):
            if all(p == q or p.startswith("{") for p, q in zip(pattern, pieces, strict=True)):
                return route, {p[1:-1]: q for p, q in zip(pattern, pieces, strict=True) if p.startswith("{")}
        return _NOWHERE, {}

    def _serve_attachment(self, request: Request, id: str) -> Outcome:
        fault = self.center.faults.network("sunshine", "GetAttachment", "media")
        if fault:
            return network_outcome(fault)
        for app in self.center.apps.values():
            if id in app.attachments:
                found = app.attachments[id]
                return Reply(Response(200, found.data, {"content-type": found.media_type, "x-content-type-options": "nosniff"}))
        return Reply(_not_found())


def _refuse(fault: Fault) -> Response:
    code = code_of(fault)
    error, title = _FAULT_ERRORS.get(code, ("error", "Error"))
    return answer(code, {"errors": [{"code": error, "title": title}]})


def _unauthorized() -> Response:
    return answer(401, {"errors": [{"code": "unauthorized", "title": "Authorization is required"}]})


def _forbidden() -> Response:
    return answer(403, {"errors": [{"code": "forbidden", "title": "Forbidden"}]})


def _not_found() -> Response:
    return answer(404, {"errors": [{"code": "not_found", "title": "Resource not found"}]})
