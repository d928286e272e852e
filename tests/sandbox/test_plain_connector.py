"""The connector that Heliograph is compared with does its honest best, and no more."""

import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

from heliograph.sandbox.faults import Fault, Mode
from heliograph.sandbox.plain_connector import KEY_ID, KEY_SECRET, Failed, PlainConnector
from heliograph.sandbox.server import RunningSandbox, new_sandbox, start


@contextlib.asynccontextmanager
async def _place() -> AsyncIterator[tuple[RunningSandbox, PlainConnector, str]]:
    running = await start(host="127.0.0.1", port=0, sandbox=new_sandbox(7))
    demo = running.sandbox.seed_demo()
    plain = PlainConnector(
        running.sunshine_url, demo.app_id, {KEY_ID: demo.account_key_id, KEY_SECRET: demo.account_key_secret}
    )  # fmt: skip
    try:
        yield running, plain, demo.conversation_id
    finally:
        await plain.close()
        await running.stop()


@pytest_asyncio.fixture
async def place() -> AsyncIterator[tuple[RunningSandbox, PlainConnector, str]]:
    async with _place() as made:
        yield made


async def test_what_it_sends_arrives_once(place: tuple[RunningSandbox, PlainConnector, str]) -> None:
    running, plain, conversation = place
    for text in ("one", "two"):
        await plain.reply(conversation, text)
    assert [one.text for one in running.sandbox.tally.taken("sunshine", conversation)] == ["one", "two"]
    assert plain.errors == []


async def test_with_wrong_settings_it_drops_what_it_has_and_says_so_in_a_list(place: tuple[RunningSandbox, PlainConnector, str]) -> None:
    running, plain, conversation = place
    right = plain.settings
    plain.restart({**right, KEY_SECRET: "wrong"})
    await plain.reply(conversation, "lost")
    plain.restart(right)
    await plain.reply(conversation, "later")
    assert [one.text for one in running.sandbox.tally.taken("sunshine", conversation)] == ["later"]
    assert plain.errors == [Failed(conversation, 401)]


async def test_silence_is_an_error_too(place: tuple[RunningSandbox, PlainConnector, str]) -> None:
    running, plain, conversation = place
    running.sandbox.faults.set(Fault(service="sunshine", mode=Mode.REQUEST_LOST, operation="send"))
    await plain.reply(conversation, "never seen")
    assert plain.errors == [Failed(conversation, 0)]


async def test_its_settings_are_not_in_what_it_prints(place: tuple[RunningSandbox, PlainConnector, str]) -> None:
    _, plain, _ = place
    assert plain.settings[KEY_SECRET] not in repr(plain)
