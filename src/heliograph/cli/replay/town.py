"""The people of a replay: contacts who wait for an answer, agents who write the same to both connectors, and the judge who counts."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.demo import Demo
from heliograph.domain.content import Text
from heliograph.domain.delivery import Delivery, State
from heliograph.ports.store import Unavailable
from heliograph.sandbox.plain_connector import KEY_ID, KEY_SECRET, PlainConnector
from heliograph.sandbox.sunshine.state import App
from heliograph.sandbox.tally import Counts, Written, judge
from heliograph.services.reply import reply

CONTACTS = ("Ada Lund", "Bruno Falk", "Chidi Obi", "Dana Roth", "Elif Kaya", "Femi Ade")
WORDS = (
    "Your lantern left our workshop this morning.", "The wick is size two; we add a spare.", "Yes, the glass can be replaced by hand.",
    "We have moved your order to Thursday.", "The refund is on its way.", "That part is back in stock next week.",
)  # fmt: skip
#: Seconds between replies, and for contacts' messages to become tickets.
EVERY, PATIENCE = 0.4, 15.0
CLAIMS = {State.FAILED: "failed", State.CANCELLED: "cancelled"}


@dataclass(slots=True)
class Side:
    """One connector's conversations, and what agents wrote there in this run, in order."""

    conversations: list[str]
    written: dict[str, list[Written]] = field(default_factory=dict)
    #: Of replies that ask a person, if any.
    asked: int = 0

    def write(self, conversation: str, one: Written) -> None:
        """Note a reply before it is handed over, or as soon as it is saved."""
        self.written.setdefault(conversation, []).append(one)


class Town:
    """Six contacts on each side, in the sandbox of a demonstration. They stay from one run to the next; what was written does not."""

    def __init__(self, application: Application, demo: Demo) -> None:
        self._application = application
        self._demo = demo
        self._sandbox = demo.sandbox.sandbox
        center = self._sandbox.sunshine.center
        # The shop has one key for both; the plain one's conversations are in an app of their own, so that neither hears the other.
        other = center.new_app("Plain desk")
        self.plain = PlainConnector(demo.sandbox.sunshine_url, other.id, self.good)
        self.ours = Side(self._contacts(center.apps[demo.plan.seeded.app_id], ""))
        self.theirs = Side(self._contacts(other, " (plain)"))
        self._tickets: list[str] = []
        self._since = 0
        self._number = 0
        #: Agents who take turns.
        self.agents: list[str] = [demo.colleague]
        #: Every reply that was saved in this run, and by whom: delivery -> agent.
        self.saved: dict[str, str] = {}
        self._writing: asyncio.Task[None] | None = None

    def _contacts(self, app: App, mark: str) -> list[str]:
        return [self._sandbox.new_contact(app, name + mark).id for name in CONTACTS]

    @property
    def good(self) -> dict[str, str]:
        """The plain connector's settings as they should be."""
        given = self._demo.plan.credential
        return {KEY_ID: given["key_id"], KEY_SECRET: given["key_secret"]}

    async def gather(self) -> None:
        """A new run: contacts write, and agents have a ticket for each. Raises TimeoutError."""
        self.ours, self.theirs = Side(self.ours.conversations), Side(self.theirs.conversations)
        self.saved.clear()
        self.plain.errors.clear()
        self.plain.calls = 0
        self._since = max((taken.sequence for taken in self._sandbox.tally.taken("sunshine")), default=0)
        for conversation in (*self.ours.conversations, *self.theirs.conversations):
            self._sandbox.sunshine.contacts.text(conversation, "Is there news of my order?")
        async with asyncio.timeout(PATIENCE):
            self._tickets = [await self._ticket(conversation) for conversation in self.ours.conversations]

    async def _ticket(self, address: str) -> str:
        store, account = self._application.context.store, self._demo.account
        while True:
            found = await store.conversation_at(account, self._demo.sunshine, address)
            if found is not None:
                for ticket in await store.tickets(account, state="open", before=None, limit=200):
                    if ticket.conversation == found.id:
                        return ticket.id
            await self._application.context.clock.sleep(0.05)

    def begin(self) -> None:
        """Agents answer from now on."""
        self._writing = asyncio.create_task(self._write(), name="replay-agents")

    async def end(self) -> None:
        """They stop; what they were about to save is saved."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None

    async def _write(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                place, number = self._number % len(CONTACTS), self._number
                self._number += 1
                text = f"{WORDS[(number + number // len(CONTACTS)) % len(WORDS)]} ({number + 1})"
                for work in (self._ours(place, number, text), self._theirs(place, text)):
                    task = asyncio.create_task(work)
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                await self._application.context.clock.sleep(EVERY)
        finally:
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _ours(self, place: int, number: int, text: str) -> None:
        agent = self.agents[number % len(self.agents)]
        with suppress(Unavailable):
            # What was not saved was not promised.
            saved = await reply(
                self._application.context, self._demo.account, self._tickets[place], agent=agent, actor=f"agent:{agent}",
                contents=[Text(text)], public=True,
            )  # fmt: skip
            for id in saved.deliveries:
                self.ours.write(self.ours.conversations[place], Written(float(len(self.saved)), id, None))
                self.saved[id] = agent

    async def _theirs(self, place: int, text: str) -> None:
        conversation = self.theirs.conversations[place]
        one = Written(float(self.plain.calls), None, text)
        self.theirs.write(conversation, one)
        await self.plain.reply(conversation, text)
        # It is done with it, whatever came of it.
        one.claim = "accepted"

    # --- the judge --------------------------------------------------------------------------------

    async def deliveries(self) -> list[Delivery]:
        """Our replies of this run as the store has them now."""
        store = self._application.context.store
        found = [await store.delivery(self._demo.account, id) for id in list(self.saved)]
        return [delivery for delivery in found if delivery is not None]

    async def settle(self) -> None:
        """Tell the judge what Heliograph itself has given up, or asks about."""
        rows = {row.id: row for row in await self.deliveries()}
        self.ours.asked = sum(row.state is State.ASKING for row in rows.values())
        for replies in self.ours.written.values():
            for one in replies:
                row = rows.get(one.key or "")
                one.claim = CLAIMS.get(row.state) if row is not None else "accepted"

    def counts(self, side: Side, *, final: bool = False) -> Counts:
        """From the sandbox's own record: what it took in these conversations since the run began, against what was written."""
        total = Counts()
        for conversation in side.conversations:
            taken = [one for one in self._sandbox.tally.taken("sunshine", conversation) if one.sequence > self._since]
            total = total.plus(judge(side.written.get(conversation, []), taken, final=final))
        return total
