"""One request must not keep everybody else waiting."""

import time

import pytest

from heliograph.web.api.bodies import _walk
from heliograph.web.problems import Refused
from heliograph.web.workspace.signin import _inside


def test_long_names_around_many_values_are_walked_in_no_time() -> None:
    body = {"k" * 500_000: [0] * 250_000}
    began = time.process_time()
    _walk(body, (), 0)
    assert time.process_time() - began < 1


def test_a_refusal_still_names_the_place() -> None:
    with pytest.raises(Refused) as refused:
        _walk({"contents": [{}, {"text": "\x00"}]}, (), 0)
    assert refused.value.errors[0].field == "contents[1].text"


@pytest.mark.parametrize(
    "address", ["/desk/\u20ac", "/desk/\r\nx: y", "/desk\\x", "/desk//evil.example", "https://evil.example/desk", "/desk/\x00"]
)
def test_after_signing_in_nobody_is_sent_where_no_header_can_lead(address: str) -> None:
    assert _inside(address) == "/desk"
    assert _inside("/desk/tickets/tkt_1?show=open") == "/desk/tickets/tkt_1?show=open"
