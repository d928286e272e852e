"""A sandbox in virtual time, and requests to it as a desk would make them."""

import base64
import json
import random
from typing import Any

from heliograph.sandbox.wire import Outcome, Reply, Request
from heliograph.sandbox.world import Demo, Sandbox

START = 1_700_000_000_000_000


class World:
    """A seeded sandbox whose clock moves only when told to."""

    def __init__(self, seed: int = 1) -> None:
        self.time = START
        self.sandbox = Sandbox(now=lambda: self.time, rand=random.Random(seed).random)
        self.demo: Demo = self.sandbox.seed_demo(webhook_url="http://desk.invalid/hook", webhook_secret="s3cret")

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "", secret: str = "") -> Outcome:
        pair = f"{key or self.demo.key_id}:{secret or self.demo.key_secret}"
        headers = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode(), "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        return self.sandbox.handle(Request(method, f"/sc/v2/apps/{self.demo.app_id}{path}", {}, headers, raw))

    def send(self, text: str, key: str | None = None, conversation: str = "") -> Outcome:
        """A reply of ours, through Sunshine Conversations."""
        body = {"author": {"type": "business"}, "content": {"type": "text", "text": text}, "metadata": {"ours": key} if key else None}
        return self.ask("POST", f"/conversations/{conversation or self.demo.conversation_id}/messages", body)

    def telegram(self, method: str, body: Any) -> Outcome:
        headers = {"content-type": "application/json"}
        return self.sandbox.handle(Request("POST", f"/bot{self.demo.bot_token}/{method}", {}, headers, json.dumps(body).encode()))

    def code(self, outcome: Outcome) -> int:
        assert isinstance(outcome, Reply), outcome
        return outcome.response.code

    def pass_time(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)

    def hooks(self, answer: int | None = 200) -> list[dict[str, Any]]:
        """Make the webhook calls that are due; every one is answered `answer`. Returns the envelopes."""
        calls = self.sandbox.outbox.due()
        for call in calls:
            self.sandbox.outbox.answered(call, answer)
        return [json.loads(c.body) for c in calls]

    def kinds(self, answer: int | None = 200) -> list[str]:
        """The kinds of events in the calls that are due."""
        return [e["type"] for envelope in self.hooks(answer) for e in envelope["events"]]
