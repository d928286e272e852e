"""A simulated Zendesk in virtual time, and an integration service that answers it by plain functions."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from heliograph.sandbox.errands import Answer, Errand, Errands
from heliograph.sandbox.faults import Faults
from heliograph.sandbox.ids import Ids
from heliograph.sandbox.journal import Journal
from heliograph.sandbox.outbox import Outbox
from heliograph.sandbox.service import Hub, Settings
from heliograph.sandbox.tally import Tally
from heliograph.sandbox.wire import Outcome, Reply, Request, Response
from heliograph.sandbox.zendesk import Zendesk, control, integrations
from heliograph.sandbox.zendesk.state import Comment, Instance, Ticket

START = 1_700_000_000_000_000
SERVICE = "https://service.example"
MANIFEST: dict[str, Any] = {
    "name": "Signals", "id": "example.signals", "version": "1", "author": "Nobody", "push_client_id": "signals_push",
    "channelback_files": True, "create_followup_tickets": True,
    "urls": {
        "admin_ui": "./admin", "pull_url": "./pull", "channelback_url": "./channelback", "clickthrough_url": "./clickthrough",
        "healthcheck_url": "./health", "event_callback_url": "./events",
    },
}  # fmt: skip

#: A form as the pairs that arrived.
Form = list[tuple[str, str]]


@dataclass
class Service:
    """The integration service. A test replaces an answer; None is no answer at all."""

    manifest: Any = field(default_factory=lambda: json.loads(json.dumps(MANIFEST)))
    #: Code and body.
    channelback: Callable[[Form], tuple[int, Any] | None] = lambda form: (
        200,
        {"external_id": "ours-" + dict(form)["request_unique_identifier"]},
    )
    pull: Callable[[Form], tuple[int, Any] | None] = lambda form: (200, {"external_resources": []})
    files: dict[str, tuple[int, bytes, dict[str, str]] | None] = field(default_factory=dict)
    #: What was asked: method, path, form.
    asked: list[tuple[str, str, Form]] = field(default_factory=list)

    def answer(self, errand: Errand) -> Answer | None:
        parts = urlsplit(errand.url)
        form = parse_qsl(errand.body.decode(), keep_blank_values=True)
        self.asked.append((errand.method, parts.path, form))
        match parts.path:
            case "/manifest":
                return Answer(200, {}, json.dumps(self.manifest).encode())
            case "/health":
                return Answer(200, {}, b"OK")
            case "/channelback":
                return _answer(self.channelback(form))
            case "/pull":
                return _answer(self.pull(form))
            case path:
                found = self.files.get(path, (404, b"", {}))
                return Answer(found[0], found[2], found[1]) if found else None

    def of(self, path: str) -> list[dict[str, str]]:
        """The forms that were posted to a path."""
        return [dict(form) for _, asked, form in self.asked if asked == path]


def _answer(value: tuple[int, Any] | None) -> Answer | None:
    if value is None:
        return None
    code, body = value
    return Answer(code, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


class World:
    """Everything at one clock that moves only when told to."""

    def __init__(self, seed: int = 1) -> None:
        self.time = START
        self.service = Service()
        rand = random.Random(seed).random
        self.faults = Faults(rand, lambda: None)
        self.outbox = Outbox(lambda: self.time, self.faults, lambda: None)
        self.tally = Tally(lambda: None)
        self.zendesk = Zendesk(Hub(
            now=lambda: self.time, ids=Ids(lambda: self.time, rand), faults=self.faults, journal=Journal(), outbox=self.outbox,
            errands=Errands(lambda: self.time, lambda: None), tally=self.tally, settings=Settings(), changed=lambda: None,
        ))  # fmt: skip
        self.center = self.zendesk.center
        self.center.base = "http://127.0.0.1:1"
        self.events: list[dict[str, Any]] = []
        self.calls: list[list[str]] = []

    def run(self, seconds: float = 0.0) -> None:
        """Let that much time pass; whatever comes due is carried out in its order."""
        end = self.time + int(seconds * 1_000_000)
        while True:
            for errand in self.center.errands.due():
                self.center.errands.answered(errand, self.service.answer(errand))
            for call in self.outbox.due():
                events = json.loads(call.body)["events"]
                self.events += events
                self.calls.append([e["type_id"] for e in events])
                self.outbox.answered(call, 200)
            following = [at for at in (self.center.errands.next_due(), self.outbox.next_due()) if at is not None and at <= end]
            if not following:
                break
            self.time = max(self.time, min(following))
        self.time = end

    def account(self, metadata: str = '{"link":"l","secret":"s"}') -> Instance:
        """The service registered, and an account added through its admin page."""
        integration = integrations.register(self.center, SERVICE + "/manifest")
        self.run()
        assert integration.manifest, integration.faults
        _, fields = integrations.begin(self.center, integration, locale="en-US")
        form = {"name": "Shop", "metadata": metadata, "state": ""}
        assert self.code(self.handle("POST", urlsplit(fields["return_url"]).path, form=form)) == 200
        self.run(3)
        return next(i for i in self.center.instances.values() if i.push_id == fields["instance_push_id"])

    def handle(
        self, method: str, path: str, body: Any = None, *, token: str = "", form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        raw = b"" if body is None else json.dumps(body).encode()
        given = {"content-type": "application/json", **bearer, **(headers or {})}
        bare, _, query = path.partition("?")
        return self.zendesk.handle(Request(method, bare, dict(parse_qsl(query)), given, raw, form or {}))

    def push(self, instance: Instance, *items: dict[str, Any], code: int = 200) -> Any:
        """Results of a push: codes, or the whole answer of a refusal."""
        body = {"instance_push_id": instance.push_id, "request_id": "r1", "external_resources": list(items)}
        response = self.response(self.handle("POST", "/api/v2/any_channel/push.json", body, token=instance.token))
        assert response.code == code, response.body
        value = json.loads(response.body)
        return [r["status"]["code"] for r in value["results"]] if code == 200 else value

    def act(self, action: str, **body: Any) -> Any:
        """As the agents' page does."""
        raw = json.dumps(body).encode()
        request = Request("POST", f"/sandbox/zendesk/act/{action}", {}, {"content-type": "application/json"}, raw)
        response = control.handle(self.center, request)
        assert response.code == 200, response.body
        return json.loads(response.body)

    def response_of_control(self, method: str, path: str) -> Any:
        """What the control API answers."""
        response = control.handle(self.center, Request(method, path))
        assert response.code == 200, response.body
        return json.loads(response.body)

    def response(self, outcome: Outcome) -> Response:
        assert isinstance(outcome, Reply), outcome
        return outcome.response

    def code(self, outcome: Outcome) -> int:
        return self.response(outcome).code

    @property
    def ticket(self) -> Ticket:
        """The latest one."""
        return list(self.center.tickets.values())[-1]

    def reply(self, text: str) -> Comment:
        """An agent answers the latest ticket."""
        return self.center.comments[self.act("reply", ticket=self.ticket.id, text=text)["comment"]]

    def kinds(self) -> list[str]:
        return [event["type_id"] for event in self.events]


def item(number: int, *, thread: str | None = "t1", **more: Any) -> dict[str, Any]:
    """An external resource."""
    placed = {"thread_id": thread} if thread else {}
    return {
        "external_id": f"m{number}", "message": f"text {number}", "created_at": "2026-05-01T10:00:00Z",
        "author": {"external_id": "ada", "name": "Ada"}, **placed, **more,
    }  # fmt: skip
