"""Files by address: for whoever has it, for a while, and for nobody else."""

import dataclasses
from collections.abc import Callable

import pytest

from heliograph.domain.content import Media, MediaKind
from heliograph.services.addresses import LIFE, Addresses
from tests.web.installation import House

MEDIA = Media(MediaKind.IMAGE, "a cat/ü.png", "image/png", 4, file="fil_1")
ADDRESSES = Addresses("https://desk.example", b"k" * 32)


def token_of(address: str) -> str:
    return address.removeprefix("https://desk.example/files/").partition("/")[0]


def test_an_address_opens_to_its_file_until_it_expires() -> None:
    address = ADDRESSES.file(MEDIA, now=0)
    opened = ADDRESSES.opened(token_of(address), now=LIFE)
    assert opened is not None and (opened.key, opened.media_type) == ("fil_1", "image/png")
    assert ADDRESSES.opened(token_of(address), now=2 * LIFE) is None
    assert address.endswith("/a_cat_.png")
    assert ADDRESSES.file(MEDIA, now=5) == address, "an attempt that is repeated repeats the same request"


SPOILT: list[Callable[[str], str]] = [
    lambda token: f"{token[:-2]}AA",
    lambda token: f"A{token[1:]}",
    lambda token: token[:20],
    lambda _: "",
    lambda _: "ü",
    lambda _: "=" * 9,
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_nobody_can_make_one_up(spoil: Callable[[str], str]) -> None:
    assert ADDRESSES.opened(spoil(token_of(ADDRESSES.file(MEDIA, now=0))), now=1) is None
    assert Addresses("", b"x" * 32).opened(token_of(ADDRESSES.file(MEDIA, now=0)), now=1) is None


def test_without_a_public_address_there_is_none() -> None:
    nowhere = dataclasses.replace(ADDRESSES, base="")
    assert nowhere.file(MEDIA, now=0) == "" and nowhere.webhook("line", "chn_1") == ""
    assert ADDRESSES.webhook("line", "chn_1") == "https://desk.example/hooks/line/chn_1"
    assert "kkk" not in repr(ADDRESSES)


async def test_whoever_has_the_address_may_read_the_file_and_cannot_run_it(here: House) -> None:
    context = here.application.context
    await context.files.put("fil_1", b"\x89PNG")
    address = Addresses(here.url, context.channels.vault.prints).file(MEDIA, now=context.clock.now())
    path = address.removeprefix(here.url)
    for method in ("GET", "POST"):
        answer = await here.send(method, path, by="")
        assert (answer.code, answer.body, answer.headers["content-type"]) == (200, b"\x89PNG", "image/png")
        assert "sandbox" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    for wrong in ("/files/x/y", path.replace("/files/", "/files/A"), "/files/%00/y"):
        assert (await here.send("GET", wrong, by="")).code == 404


@pytest.mark.parametrize("odd", ["text/html\r\nx-evil: 1\r\n\r\n<script>", "text/plain; name=日本", "a" * 300, "image/png\x00", ""])
async def test_whatever_a_contact_s_file_calls_itself_it_can_be_fetched(here: House, odd: str) -> None:
    context = here.application.context
    await context.files.put("fil_1", b"bytes")
    media = dataclasses.replace(MEDIA, media_type=odd)
    address = Addresses(here.url, context.channels.vault.prints).file(media, now=context.clock.now())
    answer = await here.send("GET", address.removeprefix(here.url), by="")
    assert (answer.code, answer.body, answer.headers["content-type"]) == (200, b"bytes", "application/octet-stream")
    assert "x-evil" not in answer.headers
