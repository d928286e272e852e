"""A service's own calls go through the Http port as they go through sockets."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from heliograph.ports.http import HttpFile, HttpResponse, MaybeSent
from heliograph.sandbox.carrying import through_port
from heliograph.sandbox.errands import Answer, Errand


class Wire:
    """An Http port that writes down what it was asked."""

    def __init__(self, *, lost: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self._lost = lost

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, form: Mapping[str, str] | None = None,
        files: tuple[HttpFile, ...] = (), timeout: float, max_bytes: int = 1_048_576,
    ) -> HttpResponse:  # fmt: skip
        assert body is None or form is None
        self.asked.append({"method": method, "url": url, "headers": headers, "form": form, "body": body, "files": files, "most": max_bytes})
        if self._lost:
            raise MaybeSent("closed")
        assert timeout > 0
        return HttpResponse(200, {"content-type": "application/json"}, b"{}")


def errand(body: bytes) -> Errand:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    return Errand(1, "zendesk", "channelback", "POST", "https://service.example/channelback", headers, body, 5.0, lambda answer: None)


async def test_a_form_arrives_whole_also_where_a_name_comes_twice() -> None:
    wire = Wire()
    carry = through_port(wire)
    assert await carry(errand(b"message=a%20b&metadata=")) == Answer(200, {"content-type": "application/json"}, b"{}")
    assert wire.asked[0]["form"] == {"message": "a b", "metadata": ""} and "content-type" not in wire.asked[0]["headers"]
    two = b"message=x&file_urls%5B%5D=one&file_urls%5B%5D=two"
    await carry(errand(two))
    assert wire.asked[1]["form"] is None and wire.asked[1]["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(wire.asked[1]["body"].decode()) == [("message", "x"), ("file_urls[]", "one"), ("file_urls[]", "two")]


async def test_no_answer_is_none() -> None:
    assert await through_port(Wire(lost=True))(errand(b"a=b")) is None
