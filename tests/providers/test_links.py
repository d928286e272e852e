"""An address that a stranger has written is taken apart in no time, or not at all."""

import time

import pytest

from heliograph.desks.zendesk import calls
from heliograph.ports import links
from heliograph.ports.desk import Malformed
from heliograph.providers import fetching, sunshine_inbound

#: Combining marks out of their order: each costs urllib a look at all others.
MARKS = "\u0315\u0300" * 100_000
HOSTILE = [f"https://a{MARKS}", f"//a{MARKS}/x", f"https://a.example/{'x' * 1_000_000}", f"https://{'.' * 1_000_000}"]


@pytest.mark.parametrize("url", HOSTILE, ids=["marks", "no scheme", "long path", "long host"])
def test_no_address_holds_anybody_up(url: str) -> None:
    begun = time.process_time()
    with pytest.raises(ValueError):
        links.split(url)
    assert links.file_name(url) == ""
    assert not fetching.same_origin(url, "https://a.example")
    with pytest.raises(Malformed):
        calls._base(url, "acme", loopback=False)
    assert time.process_time() - begun < 0.2


def test_others_are_read_as_ever() -> None:
    assert links.split("https://a.example/b%20c.png?d=\u00e9#\u0301").netloc == "a.example"
    assert links.file_name("https://a.example/x/b%20c.png?d=/e") == "b c.png"
    assert links.join("https://a.example/x/y", "../z\u00e9") == "https://a.example/z\u00e9"


def test_a_number_of_no_character_loses_no_text() -> None:
    said = sunshine_inbound._plain(f"Hello &amp; &#{'9' * 5000};")
    assert said.startswith("Hello")
