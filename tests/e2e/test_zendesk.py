"""Zendesk and Heliograph as processes: kill -9 between a commit and its answer, and canaries over everything that goes wrong."""

import asyncio
import html
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from tests.e2e import ledger
from tests.e2e.clerk import Clerk
from tests.e2e.processes import MASTER_KEY, PATIENCE, Desk, Remote, free_port
from tests.e2e.test_kills import supervised
from tests.storage.engines import inside
from tests.zendesk.town import ACTION, HIDDEN

FILE_NAME, BODY, CONTACT = "canary-file.png", "canary-body-of-an-agent", "canary-body-of-a-contact"
PNG = b"\x89PNG\r\n\x1a\n" + b"2" * 200


@dataclass(slots=True)
class Mirrored(Desk):
    """An installation whose channel is joined with the sandbox's Zendesk."""

    admin: str = field(default="", repr=False)
    manifest: str = field(default="", repr=False)
    #: What the way through the admin page has shown: what Zendesk sent there, and what it keeps.
    sent: dict[str, str] = field(default_factory=dict, repr=False)
    kept: dict[str, str] = field(default_factory=dict, repr=False)
    conversation: str = ""

    def variables(self) -> dict[str, str]:
        return {**Desk.variables(self), "HELIOGRAPH_ZENDESK_CLIENT": "heliograph_push", "HELIOGRAPH_PUBLIC_URL": self.url}

    async def prepare(self, clerk: Clerk) -> None:
        """Before anything runs: the account, a token of its admin, and the address that Zendesk installs."""
        await self.create(clerk.made)
        place = ("--data", str(self.data))
        who = ("--account", self.account, "--agent", self.agent, "--scopes", "admin")
        self.admin = (await clerk.made("token", "issue", *who, *place, **self.variables()))["text"]
        app = self.folder / "app.zip"
        made = await clerk.made("zendesk", "package", "--url", self.url, "--out", str(app), *place, **self.variables())
        self.manifest = made["manifest"]

    async def zendesk(self, method: str, path: str, body: Any = None) -> Any:
        return await self.remote.ask(method, f"zendesk/{path}", body)

    async def until(self, ask: Callable[[], Any], want: Callable[[Any], Any], *, seconds: float = PATIENCE) -> Any:
        """Ask again until what comes is wanted; returns what `want` gave."""
        deadline = time.monotonic() + seconds
        while not (got := want(await ask())):
            assert time.monotonic() < deadline, "it never came"
            await asyncio.sleep(0.05)
        return got

    async def link(self) -> None:
        """As an admin does it in Zendesk."""
        integration = (await self.zendesk("POST", "act/register", {"manifest_url": self.manifest}))["integration"]
        await self.until(lambda: self.zendesk("GET", "state"), lambda state: all(each["valid"] for each in state["integrations"]))
        begun = await self.zendesk("GET", f"account?integration={integration}&as=json")
        self.sent = begun["fields"]
        page = await self._post(begun["address"], self.sent)
        page = await self._post(*_step(self, page, token=self.admin))
        there, self.kept = _step(self, await self._post(*_step(self, page, channel=self.channel, name="Shop")))
        await self._post(there, self.kept)

    async def _post(self, address: str, fields: dict[str, str]) -> str:
        async with self.http.post(address, data=fields) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text

    async def contact(self) -> int:
        """A contact writes; returns their ticket in Zendesk."""
        there = await self.remote.ask("POST", "sunshine/contacts", {"app_id": self.app, "name": "canary-name"})
        self.conversation = there["conversation"]
        await self.writes(f"{CONTACT} first")
        state = await self.until(lambda: self.zendesk("GET", "state"), lambda state: state if state["tickets"] else None)
        return int(state["tickets"][0]["id"])

    async def writes(self, text: str) -> None:
        await self.remote.ask("POST", "contact/text", {"conversation": self.conversation, "text": text})

    async def comments(self, ticket: int) -> list[dict[str, Any]]:
        return list((await self.zendesk("GET", f"state?ticket={ticket}"))["ticket"]["comments"])

    async def imported(self, ticket: int) -> list[str]:
        """What Zendesk has of the contact, in its order."""
        return [each["text"] for each in await self.comments(ticket) if each["by"] in ("push", "pull") and each["public"]]

    async def received(self) -> list[str]:
        """What the contact has of us, in order."""
        phone = await self.remote.ask("GET", f"phone?service=sunshine&conversation={self.conversation}")
        return [each["text"] for each in phone["messages"] if not each["mine"]]

    async def answers(self, ticket: int, text: str) -> None:
        await self.zendesk("POST", "act/reply", {"ticket": ticket, "text": text})

    async def answers_with_file(self, ticket: int, text: str) -> None:
        form = FormData()
        form.add_field("ticket", str(ticket))
        form.add_field("text", text)
        form.add_field("file", PNG, filename=FILE_NAME, content_type="image/png")
        async with self.http.post(f"{self.remote.child.url}/sandbox/zendesk/act/reply", data=form) as answer:
            assert answer.status == 200, await answer.text()


def _step(desk: Mirrored, page: str, **entered: str) -> tuple[str, dict[str, str]]:
    found = ACTION.search(page)
    assert found, page
    action = html.unescape(found[1])
    hidden = {name: html.unescape(value) for name, value in HIDDEN.findall(page)}
    return (action if "://" in action else desk.url + action), {**hidden, **entered}


@pytest.fixture
async def mirrored(tmp_path: Path, http: ClientSession, remote: Remote, clerk: Clerk) -> AsyncIterator[Mirrored]:
    """An installation that knows its Zendesk; nothing runs yet."""
    made = Mirrored(tmp_path, free_port(), "", http, remote)
    await made.prepare(clerk)
    yield made
    if made.child is not None and made.child.process.returncode is None:
        made.child.kill()
        await asyncio.wait_for(made.child.process.wait(), 10)


@pytest.mark.parametrize("point", ["reply:after_commit", "desk_reply:after_commit"])
async def test_a_death_between_a_reply_s_commit_and_its_answer_makes_one_reply(mirrored: Mirrored, point: str) -> None:
    desk = mirrored
    async with supervised(desk, [point]) as struck:
        await desk.link()
        ticket = await desk.contact()
        if point.startswith("desk_reply"):
            await desk.answers_with_file(ticket, "once")
        else:
            await desk.answers(ticket, "once")
        replies = await desk.until(lambda: desk.zendesk("GET", "replies"), lambda got: got["replies"] if _taken(got) else None)
        await desk.answers(ticket, "afterwards")
        await desk.until(desk.received, lambda got: "afterwards" in got)
    assert struck == [point]
    # Zendesk did not hear the first answer, asked again, and was told of the same reply.
    assert replies[0]["answers"] == ["none", "200"] and replies[0]["errors"] == []
    assert [text for text in await desk.received() if text] == ["once", "afterwards"]
    counts = await desk.zendesk("GET", "counts")
    assert counts["contradictions"] == 0 and counts["replies_failed"] == 0
    assert desk.child is not None and await desk.child.stop() == 0
    async with ledger.opened(desk) as store:
        assert await ledger.one(store, "SELECT count(*) FROM comment WHERE author_kind = 'agent'") == 2


def _taken(got: dict[str, Any]) -> bool:
    return bool(got["replies"]) and all(each["state"] == "taken" for each in got["replies"])


@pytest.mark.parametrize("point", ["desk_mirror:pushed:2", "desk_mirror:before_commit:2"])
async def test_a_death_between_a_push_and_its_cursor_doubles_and_loses_nothing(mirrored: Mirrored, point: str) -> None:
    desk = mirrored
    async with supervised(desk, [point]) as struck:
        await desk.link()
        ticket = await desk.contact()
        wanted = [f"{CONTACT} first"]
        for number in range(4):
            wanted.append(f"{CONTACT} {number}")
            await desk.writes(wanted[-1])
            if number == 0:
                # This one kills; what is written meanwhile is called for again by the provider, in no promised order.
                await desk.until(lambda: _same(struck), bool)
            await desk.until(lambda: desk.imported(ticket), lambda got: wanted[-1] in got)
    assert struck == [point]
    assert await desk.imported(ticket) == wanted
    assert (await desk.zendesk("GET", "counts"))["repeats"] >= 1, "nothing was handed over again"


async def _same(value: Any) -> Any:
    return value


async def test_nothing_that_zendesk_trusts_us_with_is_logged_measured_or_kept_as_an_event(mirrored: Mirrored) -> None:
    desk = mirrored
    await desk.start(HELIOGRAPH_LOG_LEVEL="debug", HELIOGRAPH_LOG_FORMAT="json")
    await desk.link()
    ticket = await desk.contact()
    for fault in (
        {"mode": "answer_lost", "operation": "channelback"}, {"mode": "error_not_taken", "operation": "file"},
        {"mode": "error_not_taken", "operation": "push"}, {"mode": "garbage", "operation": "push"},
        {"mode": "error_not_taken", "operation": "import"}, {"mode": "error_not_taken", "operation": "report_error"},
        {"mode": "revoked"},
    ):  # fmt: skip
        set_ = await desk.remote.ask("POST", "faults", {"service": "zendesk", "count": 2, **fault})
        await desk.writes(f"{CONTACT} {fault['mode']} {fault.get('operation', '')}")
        if fault["mode"] == "revoked":
            await desk.until(lambda: desk.list("events"), lambda got: any(each["kind"] == "desk_stopped" for each in got))
            await desk.remote.ask("DELETE", f"faults/{set_['id']}")
    await desk.answers_with_file(ticket, f"{BODY} with a file")
    await desk.until(desk.received, lambda got: f"{BODY} with a file" in got)
    too_large = {"service": "sunshine", "mode": "error_not_taken", "code": 413, "operation": "send", "count": 1}
    await desk.remote.ask("POST", "faults", too_large)
    await desk.answers(ticket, f"{BODY} refused")
    await desk.until(lambda: desk.list("events"), lambda got: any(each["kind"] == "desk_told" for each in got))
    await _bad_calls(desk)
    async with desk.http.get(f"{desk.url}/metrics") as answer:
        measured = await answer.text()
    assert desk.child is not None and await desk.child.stop() == 0
    written = desk.child.text()
    assert '"event": "desk_trouble"' in written and '"event": "desk_reply_taken"' in written, "nothing was logged at all"
    async with ledger.opened(desk) as store:
        columns = "kind || ' ' || actor || ' ' || stream_id || ' ' || subject || ' ' || data"
        events = "\n".join(row[0] for row in await inside(store, f"SELECT {columns} FROM event"))
        assert "desk_told" in events and await ledger.one(store, "SELECT count(*) FROM body WHERE data LIKE $1", f"%{BODY}%") > 0
    secret = json.loads(desk.kept["metadata"])["secret"]
    wayback = desk.sent["return_url"].rsplit("/", 1)[1]
    key = desk.manifest.split("/")[-2]
    secrets = (desk.sent["zendesk_access_token"], secret, wayback, "/return/", key, desk.admin, MASTER_KEY)
    for place, text in (("log", written), ("metrics", measured), ("events", events)):
        for word in (*secrets, BODY, CONTACT, FILE_NAME, "canary"):
            assert word not in text, f"{word[:6]}… is in the {place}"


async def _bad_calls(desk: Mirrored) -> None:
    """Calls that fail in as many ways as there are, each with a canary in it."""
    service = desk.manifest.removesuffix("/manifest.json")
    metadata = desk.kept["metadata"]
    forms = (
        {"message": "canary", "metadata": '{"link":"canary","secret":"canary"}'}, {"message": "canary", "thread_id": "canary"},
        {"message": "canary", "thread_id": "canary", "metadata": metadata}, {"message": "", "thread_id": "canary", "metadata": metadata},
    )  # fmt: skip
    for form in forms:
        async with desk.http.post(f"{service}/channelback", data=form) as answer:
            assert answer.status in (400, 404)
    elsewhere = desk.sent | {"return_url": "https://canary.example/return/canary"}
    async with desk.http.post(f"{desk.url}/zendesk/admin", data=elsewhere) as answer:
        assert answer.status == 400
    for body in (b'{"events": "canary"}', b'{"events":[{"type_id":"channelback","error":"canary","data":{"metadata":"canary"}}]}'):
        async with desk.http.post(f"{service}/events", data=body) as answer:
            assert answer.status in (200, 400)
    async with desk.http.get(f"{desk.url}/zendesk/clickthrough?external_id=canary-id", allow_redirects=False) as answer:
        assert answer.status == 302
