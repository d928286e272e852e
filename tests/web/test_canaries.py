"""Texts, names, handles and secrets are planted everywhere, and looked for in everything that is observed, logged, raised or shown."""

import logging
from typing import Any

import pytest

from heliograph.ports.store import Unavailable
from heliograph.web.policy import API
from tests.web.installation import SECRET, House
from tests.web.test_hooks import hook, message

PLANTED = ("canary-inbound", "canary-name", "canary-reply", "canary-note", "canary-file-name", "canary-file-bytes", "canary-broken")


async def live(here: House, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A day in the life, troubles included; returns the answers to bad requests."""
    here.worker.start()
    event = message(here, "canary-inbound", "m1")
    event["payload"]["message"]["author"]["displayName"] = "canary-name"
    assert (await hook(here, event)).code == 200
    await hook(here, message(here, "canary-broken", "m2"), secret="canary-wrong-secret")
    ticket = (await here.ticket())["id"]
    saved = await here.write(ticket, "canary-reply")
    await here.write(ticket, "canary-note", public=False)
    await here.send("POST", f"{API}/files?name=canary-file-name.txt", b"canary-file-bytes", content_type="text/plain")

    async def state() -> str:
        return str((await here.call("GET", f"{API}/deliveries/{saved['deliveries'][0]}"))[1]["state"])

    await here.eventually(state, lambda found: found == "delivered")
    path = f"{API}/tickets/{ticket}/comments"
    bad = [
        await here.send("POST", path, b'{"contents": "canary-broken', content_type="application/json"),
        await here.send("POST", path, b'{"contents": [{"type": "text", "text": ["canary-broken"]}]}', content_type="application/json"),
        await here.send("POST", path, b'{"contents": [{"type": "canary-broken"}]}', content_type="application/json"),
        await here.send("GET", f"{API}/tickets?state=canary-broken"),
        await here.send("GET", f"{API}/tickets?cursor=canary-broken"),
        await here.send("GET", f"{API}/me", by="", authorization="Bearer canary-broken"),
    ]
    store = here.application.context.store

    async def broken(*args: Any, **named: Any) -> None:
        raise ValueError("canary-broken")

    async def gone(*args: Any, **named: Any) -> None:
        raise Unavailable("canary-broken")

    with monkeypatch.context() as patched:
        patched.setattr(store, "comments", broken)
        bad.append(await here.send("GET", path))
        patched.setattr(store, "comments", gone)
        bad.append(await here.send("GET", path))
    assert all(answer.code >= 400 for answer in bad)
    return [answer.body for answer in bad]


async def test_nothing_planted_is_observed_logged_or_answered_to_a_bad_request(
    here: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = await live(here, monkeypatch)
    # The test's own client is no part of the program, and the access log is switched off in it: only pytest's handler wakes it.
    logged = [
        record.getMessage() + repr(record.exc_info)
        for record in caplog.records
        if not record.name.startswith(("asyncio", "aiohttp", "uvicorn.access"))
    ]
    everything = repr(here.observed) + repr(logged) + repr(answers) + repr(capfd.readouterr())
    secrets = (SECRET, "canary-wrong-secret", here.demo.key_secret, *here.tokens.values())
    for canary in (*PLANTED, *secrets, here.demo.user_id, here.demo.conversation_id):
        found = everything.find(canary)
        assert found < 0, everything[max(0, found - 200) : found + 100]
    assert len(here.observed) > 10


async def test_no_repr_shows_a_secret(here: House) -> None:
    connected = await here.application.context.channels.get("acc_one", here.channel)
    assert connected is not None
    shown = repr((here.application.config, here.vitals, connected.provider, here.application.context.channels))
    here.vitals.metrics_token = "canary-numbers"
    shown += repr(here.vitals)
    for secret in (SECRET, here.demo.key_secret, "canary-numbers", repr(b"k" * 32)[2:-1]):
        assert secret not in shown


async def test_neither_secret_nor_token_lies_in_clear_on_the_disk(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(here, monkeypatch)
    data = b"".join(path.read_bytes() for path in here.application.config.data.rglob("heliograph.db*"))
    assert b"canary-inbound" in data, "the search must be able to find something"
    for secret in (SECRET, here.demo.key_secret, *here.tokens.values()):
        assert secret.encode() not in data


async def test_an_event_carries_no_text_name_or_handle(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(here, monkeypatch)
    _, events = await here.call("GET", f"{API}/events?limit=100")
    shown = repr(events)
    assert len(events["items"]) > 5
    for canary in (*PLANTED, here.demo.user_id, SECRET):
        assert canary not in shown
