"""Everything outside Heliograph: the sandbox's two services and the keyed one, behind one address, with one set of fault switches."""

import json
import random
from collections.abc import Callable
from typing import NamedTuple

from heliograph.sandbox.faults import Fault, Faults, Mode
from heliograph.sandbox.wire import Outcome, Request
from heliograph.sandbox.world import Sandbox
from tests.sim.keyed import BORROWED, KeyedService

HOOK_SECRET = "hook-secret"
SERVICES = ("sunshine", "telegram", "keyed")


class Place(NamedTuple):
    """A conversation at a service."""

    service: str
    address: str


class World:
    """Quacks as a sandbox for `SandboxHttp`. `listening` False has Telegram call us instead of being polled."""

    def __init__(self, now: Callable[[], int], chance: random.Random, *, polled: bool) -> None:
        self.now = now
        self.sandbox = Sandbox(now=now, rand=chance.random)
        self.keyed = KeyedService(self.sandbox, chance.random)
        hook = None if polled else "http://desk.invalid/telegram"
        self.demo = self.sandbox.seed_demo(
            webhook_url="http://desk.invalid/sunshine", webhook_secret=HOOK_SECRET, telegram_webhook_url=hook, telegram_secret=HOOK_SECRET
        )
        self.listen = self.sandbox.listen
        self.places: list[Place] = []
        self._merged: dict[Place, Place] = {}
        self._names = 0

    def populate(self, each: int) -> None:
        """So many contacts with each service."""
        app = self.sandbox.sunshine.center.apps[self.demo.app_id]
        bot = next(iter(self.sandbox.telegram.center.bots.values()))
        self.places += [Place("sunshine", self.sandbox.new_contact(app, f"S{n} Contact").id) for n in range(each)]
        self.places += [Place("telegram", str(self.sandbox.telegram.center.new_chat(bot, f"T{n}").id)) for n in range(each)]
        self.places += [Place("keyed", f"keyed-{n}") for n in range(each)]

    def merge(self, gone: Place, kept: Place) -> None:
        """Two contacts turn out to be one. A new one appears, so that there are always as many."""
        self.sandbox.sunshine.contacts.merge(kept.address, gone.address)
        self._merged[gone] = kept
        self._names += 1
        app = self.sandbox.sunshine.center.apps[self.demo.app_id]
        self.places[self.places.index(gone)] = Place("sunshine", self.sandbox.new_contact(app, f"N{self._names} Contact").id)

    def current(self, place: Place) -> Place:
        """Where a conversation is now, after all merges."""
        while place in self._merged:
            place = self._merged[place]
        return place

    def handle(self, request: Request) -> Outcome:
        """Decide about a request to whichever service."""
        return self.keyed.handle(request) if request.path.startswith("/keyed/") else self.sandbox.handle(request)

    def configs(self) -> dict[str, dict[str, str]]:
        """What a channel of each service is configured with."""
        demo, base = self.demo, "http://world.invalid"
        return {
            "sunshine": {
                "app_id": demo.app_id, "key_id": demo.key_id, "key_secret": demo.key_secret, "webhook_secret": HOOK_SECRET,
                "base_url": f"{base}/sc", "switchboard_integration": "heliograph",
            },
            "telegram": {"token": demo.bot_token, "webhook_secret": HOOK_SECRET, "base_url": base},
            "keyed": {"token": "t"},
        }  # fmt: skip

    def _faults(self, service: str) -> tuple[Faults, str]:
        return (self.keyed.faults, BORROWED) if service == "keyed" else (self.sandbox.faults, service)

    def fault(
        self, service: str, mode: Mode, *, operation: str = "*", probability: float = 1.0, delay: float = 5.0, count: int | None = None,
        retry_after: int | None = None, code: int | None = None, error_code: str = "uncategorized_error",
    ) -> Callable[[], None]:  # fmt: skip
        """Switch a fault on; returns how to switch it off."""
        faults, name = self._faults(service)
        id = faults.set(
            Fault(
                name, mode, operation=operation, probability=probability, delay=delay, count=count, retry_after=retry_after, code=code,
                error_code=error_code,
            )
        ).id  # fmt: skip
        return lambda: self._clear(faults, id)

    def _clear(self, faults: Faults, id: str) -> None:
        faults.clear(id=id)
        self.sandbox.outbox.release()

    def heal(self) -> None:
        """Everything works again."""
        self.sandbox.faults.clear()
        self.keyed.faults.clear()
        self.sandbox.outbox.release()

    def faulty(self) -> bool:
        """Whether any switch is on."""
        return bool(self.sandbox.faults.active() or self.keyed.faults.active())

    def unread(self) -> bool:
        """Whether a bot waits for its updates to be fetched."""
        return any(bot.updates and not bot.webhook for bot in self.sandbox.telegram.center.bots.values())


def sent_to(method: str, path: str, body: bytes | None, form: dict[str, str] | None) -> Place | None:
    """Which conversation a request would send a message to; None for every other request."""
    pieces = path.strip("/").split("/")
    if method != "POST":
        return None
    if pieces[0] == "keyed":
        return Place("keyed", json.loads(body or b"{}")["to"])
    if pieces[0] == "sc" and pieces[-1] == "messages":
        return Place("sunshine", pieces[-2])
    if pieces[0].startswith("bot") and pieces[-1].startswith("send"):
        return Place("telegram", str((form or json.loads(body or b"{}"))["chat_id"]))
    return None
