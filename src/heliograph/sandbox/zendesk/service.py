"""The simulated Zendesk: which operation a request means, who may call it, what the faults make of it."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from heliograph.sandbox.faults import Fault, carry_out, code_of, network_outcome
from heliograph.sandbox.journal import Arrival, noted
from heliograph.sandbox.service import Act, Hub
from heliograph.sandbox.wire import Json, Outcome, Reply, Request, Response, answer
from heliograph.sandbox.zendesk import control, framework, integrations, reading
from heliograph.sandbox.zendesk.center import SERVICE, Center, Problem, Settings
from heliograph.sandbox.zendesk.state import Instance, User

_WORDS = {
    401: ("invalid_token", "The access token provided is expired, revoked, malformed or invalid"),
    403: ("Forbidden", "You do not have access to this page"),
    429: ("APIRateLimitExceeded", "Number of allowed API requests per minute exceeded"),
    500: ("InternalError", "Something went wrong"),
    503: ("ServiceUnavailable", "The service is not available"),
}
_NOBODY = {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}}
_FRAMEWORK: dict[str, tuple[str, str, Callable[[Center, Instance, Request], Response]]] = {
    "push": ("push", "send", framework.push),
    "channelback/report_error": ("report_error", "report", framework.report_error),
    "validate_token": ("validate_token", "check", framework.validate_token),
}
_ANY_CHANNEL, _API, _FILES = "/api/v2/any_channel/", "/api/v2/", "/attachments/token/"


@dataclass(frozen=True, slots=True)
class _Meant:
    """What a request is about: the operation's name, its family for faults, the caller's key, and what to do."""

    operation: str
    group: str
    key: str
    #: None: the caller has not proved who they are.
    take: Callable[[], Response] | None


class Zendesk:
    """Answers requests whose path is of the API, of a file, or of the address that an admin page posts back to.

    No contact has a phone here: whoever a ticket is from is at another service.
    """

    name = SERVICE
    title = "Zendesk"
    acts: Mapping[str, Act] = {}

    def __init__(self, hub: Hub, settings: Settings | None = None) -> None:
        self.center = Center(hub, settings or Settings())
        self._journal = hub.journal

    def owns(self, path: str) -> bool:
        """Whether a path is this service's."""
        return path.startswith((_API, _FILES, integrations.RETURN_PATH, integrations.ADMIN_PATH))

    def handle(self, request: Request) -> Outcome:
        """Decide about one request."""
        center = self.center
        center.base = center.base or request.origin
        meant = self._meaning(request)
        arrival = self._journal.arrive(
            at=center.now(), service=SERVICE, operation=meant.operation, group=meant.group, key=meant.key, conversation=""
        )
        cut_off = center.faults.network(SERVICE, meant.operation, meant.group)
        if cut_off:
            return noted(arrival, network_outcome(cut_off))
        if meant.take is None:
            return noted(arrival, Reply(_words(401)))
        take = meant.take
        strike = center.faults.strike(SERVICE, meant.operation, meant.group, meant.key)
        return noted(arrival, carry_out(strike, center.now, _refuse, lambda: _taken(arrival, request, take)))

    def phones(self) -> list[Json]:
        """None."""
        return []

    def phone(self, conversation: str) -> Json:
        """Raises LookupError."""
        raise LookupError(conversation)

    def revoke(self, key: str, *, revoked: bool) -> bool:
        """Switch the push token of an account, named by its instance_push_id, off or on again; False where there is none."""
        found = [i for i in self.center.instances.values() if i.push_id == key]
        for instance in found:
            instance.revoked = revoked
        self.center.changed()
        return bool(found)

    def file(self, id: str) -> Response:
        """A file of a comment, by its token. Raises LookupError."""
        return control.file(self.center, id)

    def _meaning(self, request: Request) -> _Meant:
        path = request.path
        if path.startswith(_ANY_CHANNEL):
            return self._framework(request, path.removeprefix(_ANY_CHANNEL).removesuffix(".json"))
        if path.startswith(_API):
            rest, actor = path.removeprefix(_API), self._actor(request)
            if actor is None and rest.removesuffix(".json") == "users/me":
                # Not documented: somebody unknown is told that they are nobody, with 200. [M]
                return _Meant("users_me", "check", "", lambda: answer(200, _NOBODY))
            group = "read" if request.method == "GET" else "write"
            take = None if actor is None else lambda: reading.handle(self.center, actor, request, rest)
            return _Meant("tickets_api", group, "api", take)
        if path.startswith(_FILES):
            instance = self._instance(request)
            token = path.removeprefix(_FILES).strip("/")
            return _Meant("file", "media", _key(instance), None if instance is None else lambda: self._file(token))
        if path == integrations.ADMIN_PATH:
            return _Meant("admin_page", "admin", "", lambda: self._admin_page(request))
        secret = path.removeprefix(integrations.RETURN_PATH)
        return _Meant("return", "admin", "", lambda: integrations.returned(self.center, secret, request))

    def _framework(self, request: Request, name: str) -> _Meant:
        instance = self._instance(request)
        if request.method != "POST" or name not in _FRAMEWORK:
            return _Meant("unknown", "read", "", self.center.not_found)
        operation, group, handler = _FRAMEWORK[name]
        take = None if instance is None else lambda: handler(self.center, instance, request)
        return _Meant(operation, group, _key(instance), take)

    # --- who calls -------------------------------------------------------------------------------

    def _instance(self, request: Request) -> Instance | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        known = (i for i in self.center.instances.values() if not i.revoked and i.integration.manifest)
        return next((i for i in known if hmac.compare_digest(i.token.encode(), token.encode())), None)

    def _actor(self, request: Request) -> User | None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.center.agents[0] if hmac.compare_digest(value.encode(), self.center.api_token.encode()) else None
        try:
            name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        email, _, kind = name.rpartition("/")
        if scheme.lower() != "basic" or kind != "token" or not hmac.compare_digest(token.encode(), self.center.api_token.encode()):
            return None
        return next((agent for agent in self.center.agents if agent.email == email), None)

    def _admin_page(self, request: Request) -> Response:
        try:
            return integrations.frame_page(*control.begun(self.center, request))
        except LookupError:
            return self.center.not_found()

    def _file(self, token: str) -> Response:
        file = self.center.files.get(token)
        if file is None or file.data is None:
            return self.center.not_found()
        headers = {
            "content-type": file.media_type, "content-disposition": f'attachment; filename="{file.name.replace(chr(34), "")}"',
            "x-content-type-options": "nosniff",
        }  # fmt: skip
        return Response(200, file.data, headers)


def _key(instance: Instance | None) -> str:
    return "" if instance is None else instance.push_id


def _taken(arrival: Arrival, request: Request, take: Callable[[], Response]) -> Response:
    try:
        response = take()
    except Problem as problem:
        return problem.response
    except ValueError as refused:
        return Problem(422, "RecordInvalid", str(refused)).response
    arrival.taken = request.method != "GET" and response.code < 300
    return response


def _words(code: int) -> Response:
    error, description = _WORDS.get(code, ("Error", "Error"))
    return answer(code, {"error": error, "description": description})


def _refuse(fault: Fault) -> Response:
    return _words(code_of(fault))
