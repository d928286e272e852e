"""Files that came in: what hostile addresses, redirects and broken answers become, for every provider that fetches."""

import dataclasses
from typing import Any

import pytest

from heliograph.domain.content import Media, MediaKind
from heliograph.domain.reasons import Reason
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Inconclusive, PollFailed
from heliograph.providers import fetching
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import PROVIDERS
from tests.providers import misbehaving
from tests.providers.contract import CANARY
from tests.providers.misbehaving import Behaviour, MisbehavingServer, answer, refused_url
from tests.providers.under_contract import CASES

FETCHING = [name for name in sorted(PROVIDERS) if "fetch_media" in PROVIDERS[name].spec.capabilities]
FILE = Media(MediaKind.FILE, "a.pdf", "application/pdf", 10)
#: Addresses that no URL library takes, and such as lead nowhere.
HOSTILE = [
    "http://[",
    "https://[",
    "HTTP://[::1",
    "http://a]/",
    "http://\u2100.example/",
    "http://x:99999999/",
    "https://",
    "ftp://x/y",
    "//[",
    "",
]


@pytest.mark.parametrize("name", FETCHING)
@pytest.mark.parametrize("remote", HOSTILE)
async def test_a_hostile_address_is_a_file_that_cannot_be_had(name: str, remote: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(404))
    provider: Any = CASES[name].build(name, http, server.base_url)
    with pytest.raises(PollFailed):
        await provider.fetch_media(dataclasses.replace(FILE, remote=remote))


@pytest.mark.parametrize("remote", HOSTILE)
async def test_nor_can_what_an_answer_says_is_at_one(remote: str, http: AiohttpHttp, server: MisbehavingServer) -> None:
    """WhatsApp's answer names an address, Telegram's a path, and Twilio's redirects."""
    said = answer(200, {"ok": True, "url": remote, "result": {"file_path": remote}})
    for name, behaviour in (("whatsapp", said), ("telegram", said), ("twilio", answer(307, b"", {"Location": remote or "http://["}))):
        server.behave(behaviour, answer(404))
        provider: Any = CASES[name].build(name, http, server.base_url)
        with pytest.raises(PollFailed):
            await provider.fetch_media(dataclasses.replace(FILE, remote=f"{server.base_url}/77"))


async def got(http: AiohttpHttp, url: str) -> bytes:
    return await fetching.file(http, url, headers={}, timeout=5.0, max_bytes=100)


async def test_a_file_is_its_bytes(http: AiohttpHttp, server: MisbehavingServer) -> None:
    server.behave(answer(200, b"0123456789"))
    assert await got(http, f"{server.base_url}/a") == b"0123456789"


@pytest.mark.parametrize(
    ("behaviour", "reason", "code"),
    [
        (answer(200, b"x" * 101), Reason.TOO_LARGE, "too_large"),
        (answer(204), Reason.NO_ANSWER, "204"),
        (answer(302, b"", {"Location": "/b"}), Reason.NO_ANSWER, "302"),
        (answer(404), Reason.NO_ANSWER, "404"),
        (misbehaving.close, Reason.NO_ANSWER, "closed"),
        (misbehaving.truncated, Reason.NO_ANSWER, "truncated"),
    ],
)
async def test_anything_else_says_what_it_was(
    behaviour: Behaviour, reason: Reason, code: str, http: AiohttpHttp, server: MisbehavingServer
) -> None:
    server.behave(behaviour)
    with pytest.raises(PollFailed) as failed:
        await got(http, f"{server.base_url}/{CANARY}")
    assert failed.value.result == Inconclusive(reason, code=code)
    assert failed.value.__context__ is None and CANARY not in repr(failed.value)
    assert len(server.seen) == 1


async def test_an_address_where_nobody_listens(http: AiohttpHttp) -> None:
    with pytest.raises(PollFailed) as failed:
        await got(http, refused_url())
    assert failed.value.result == Inconclusive(Reason.PROVIDER_DOWN, code="refused")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.example/x?y", True),
        ("https://api.example", True),
        ("http://api.example/x", False),
        ("https://api.example.evil/x", False),
        ("https://api.example@evil/x", False),
        ("https://api.example:444/x", False),
        ("//api.example/x", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_the_same_scheme_and_host_are_the_same_origin(url: str, same: bool) -> None:
    assert fetching.same_origin(url, "https://api.example/v2") == same


def test_two_addresses_that_are_none_are_not_the_same() -> None:
    assert not fetching.same_origin("http://[", "http://[")
    assert not fetching.same_origin("", "")


@pytest.mark.parametrize(
    ("number", "location", "onward"),
    [
        (307, "/b", "https://api.example/b"),
        (302, "https://store.example/c", "https://store.example/c"),
        (307, "http://[", "http://["),
        (307, "", ""),
        (200, "/b", ""),
        (304, "/b", ""),
    ],
)
def test_only_a_redirect_leads_on(number: int, location: str, onward: str) -> None:
    assert fetching.onward("https://api.example/a", HttpResponse(number, {"location": location}, b"")) == onward
