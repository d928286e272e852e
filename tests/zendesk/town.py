"""A running Heliograph between a simulated provider and a simulated Zendesk, linked through the admin page as an admin does it."""

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientSession

from heliograph.desks.zendesk.desk import ZendeskDesk
from heliograph.ports.runtime import Failpoint
from heliograph.sandbox.faults import Mode, fault_from_json
from heliograph.sandbox.pulse import changed
from heliograph.sandbox.service import Hub
from heliograph.sandbox.wire import Request, Upload
from heliograph.sandbox.zendesk import Zendesk, desk, integrations
from heliograph.sandbox.zendesk.state import Comment, Instance, Ticket
from heliograph.services import desk_links
from heliograph.services.addresses import Addresses
from heliograph.services.desk_mirror import Pauses
from heliograph.worker.desking import Desking
from tests.web.installation import House, house, nothing

QUICK = Pauses(idle=0.2, stopped=0.2, shortest=0.02, longest=0.2, waits=0.05)
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
ACTION = re.compile(r'<form method="post" action="([^"]+)"')


@dataclass(slots=True)
class Town:
    """Everything that a test of the desk needs."""

    house: House
    zendesk: Zendesk
    desking: Desking
    instance: Instance
    client: ClientSession

    @property
    def tickets(self) -> list[Ticket]:
        return list(self.zendesk.center.tickets.values())

    @property
    def service(self) -> str:
        """Where Zendesk's servers call us."""
        return f"{self.house.url}/zendesk/service/{desk_links.service_key(self.house.application.context)}"

    async def until(self, want: Any, seconds: float = 30) -> Any:
        """Wait for the simulated world to change until `want()` holds; returns what it gave."""
        async with asyncio.timeout(seconds):
            while not (got := want()):
                await changed(self.house.sandbox.sandbox, asyncio.sleep, 0.05)
            return got

    async def contact_writes(self, text: str) -> Comment:
        """The contact writes, and it is a comment in Zendesk."""
        await self.house.contact_writes(text)
        return await self.until(lambda: next((c for c in self.zendesk.center.comments.values() if c.text == text), None))

    def reply(self, text: str, ticket: Ticket | None = None, *, files: tuple[Upload, ...] = ()) -> Comment:
        """An agent of Zendesk answers."""
        body = {"ticket": (ticket or self.tickets[-1]).id, "text": text}
        request = Request("POST", "/sandbox/zendesk/act/reply", {}, {}, b"", {}, files)
        return self.zendesk.center.comments[desk.act(self.zendesk.center, "reply", body, request)["comment"]]

    def received(self) -> list[str]:
        """What the contact has got, in order."""
        contacts = self.house.sandbox.sandbox.sunshine.phone(self.house.demo.conversation_id)
        return [m["text"] for m in contacts["messages"] if not m["mine"]]

    def form(self, **fields: Any) -> bytes:
        """A form as Zendesk posts it, with the link's metadata where it is not given."""
        return urlencode({"metadata": self.instance.metadata, **fields}, doseq=True).encode()

    async def post(self, path: str, body: bytes) -> tuple[int, Any]:
        """A call of Zendesk's servers."""
        answer = await self.house.send(
            "POST", f"/{urlsplit(self.service).path.strip('/')}/{path}", body, by="", content_type="application/x-www-form-urlencoded"
        )
        return answer.code, answer.json()

    def fault(self, mode: Mode, **more: Any) -> str:
        """Switch a fault on at Zendesk; returns its id."""
        fault = self.house.sandbox.sandbox.faults.set(fault_from_json({"service": "zendesk", "mode": mode.value, **more}))
        return str(fault.id)

    def well(self) -> None:
        """No faults any more."""
        self.house.sandbox.sandbox.faults.clear()

    async def settled(self, reply: Comment) -> None:
        """Our answer to a reply is with Zendesk."""
        await self.until(lambda: reply.channelback is not None and reply.channelback.state != "sending")

    def observed(self, name: str) -> list[dict[str, Any]]:
        """What was observed under a name."""
        return [fields for each, fields in self.house.observed if each == name]

    async def eventually(self, kind: str, number: int = 1) -> list[dict[str, Any]]:
        """So many events of a kind, once they are there."""
        found: list[dict[str, Any]] = await self.house.eventually(lambda: self.events(kind), lambda got: len(got) >= number, 30)
        return found

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """What the ledger has of a kind."""
        _, found = await self.house.call("GET", "/api/v1/events?limit=100")
        return [event for event in found["items"] if event["kind"] == kind]


@contextlib.asynccontextmanager
async def town(
    folder: Path, *, failpoint: Failpoint = nothing, database: str = "", linked: bool = True, client: str = "heliograph_push"
) -> AsyncIterator[Town]:
    """A town at work. `client`: the OAuth client in Zendesk, "" for none."""
    async with house(folder, failpoint=failpoint, database=database) as made, ClientSession() as session:
        application = made.application
        # Where it is reached is only known once it listens.
        application.outside.ways = replace(application.outside.ways, url=made.url)
        application.context.channels.addresses = Addresses(made.url, application.context.channels.vault.prints)
        application.desk = ZendeskDesk(application._http, client=client, loopback=True)  # type: ignore[arg-type]
        zendesk = _zendesk(made)
        desking = Desking(application.context, application.desk, url=made.url, pauses=QUICK)
        application.noticing.append(desking.noticed)
        made.worker.start()
        desking.start()
        try:
            there = Town(made, zendesk, desking, Instance(0, None, "", ""), session)  # type: ignore[arg-type]
            if linked:
                there.instance = await link(there)
            yield there
        finally:
            await desking.stop()


def _zendesk(made: House) -> Zendesk:
    sandbox = made.sandbox.sandbox
    hub = Hub(
        sandbox.now, sandbox.ids, sandbox.faults, sandbox.journal, sandbox.outbox, sandbox.errands, sandbox.tally, sandbox.settings,
        sandbox._changed,
    )  # fmt: skip
    zendesk = Zendesk(hub)
    sandbox.services["zendesk"] = zendesk
    center = zendesk.center
    center.base = made.sandbox.url
    center.settings.events_every = 0.05
    center.settings.channelback_waits = (0.05, 0.1, 0.2)
    center.settings.pull_every = 3600.0
    center.settings.file_waits = (0.1, 0.2)
    return zendesk


async def link(there: Town, *, token: str = "", channel: str = "", locale: str = "en-US") -> Instance:
    """As an admin does it in Zendesk: install, open the page, say who one is, choose, and come back."""
    center = there.zendesk.center
    integration = integrations.register(center, f"{there.service}/manifest.json")
    await there.until(lambda: integration.manifest or integration.faults)
    assert integration.manifest, integration.faults
    address, fields = integrations.begin(center, integration, locale=locale)
    page = await browse(there, address, fields)
    page = await browse(there, *step(there, page, token=token or there.house.tokens["admin"]))
    page = await browse(there, *step(there, page, channel=channel or there.house.channel, name="Shop"))
    await browse(there, *step(there, page))
    return list(center.instances.values())[-1]


def step(there: Town, page: str, **entered: str) -> tuple[str, dict[str, str]]:
    """Where a page's form goes, and what is in it."""
    found = ACTION.search(page)
    assert found, page
    action = html.unescape(found[1])
    hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(page)}
    return (action if "://" in action else there.house.url + action), {**hidden, **entered}


async def browse(there: Town, address: str, fields: dict[str, str], *, code: int = 200) -> str:
    """A browser posts a form."""
    async with there.client.post(address, data=fields, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == code, text
        return text
