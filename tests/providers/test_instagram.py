"""What is particular to Instagram: two logins, bytes as the measure, files by address, what was seen."""

import dataclasses
import json
from typing import Any

import pytest
import pywa.utils

from heliograph.domain.content import Media, MediaKind, Text
from heliograph.domain.reasons import Reason
from heliograph.ports.provider import Accepted, Address, CheckResult, Inconclusive, Invalid, Part, Unsupported, Valid
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.instagram import Instagram
from tests.providers.cases_instagram import CASE
from tests.providers.contract import KEY
from tests.providers.misbehaving import MisbehavingServer, answer

ACCOUNT = "17841400000000001"
TO = Address("6001", "6001")
IMAGE = Media(MediaKind.IMAGE, "a.png", "image/png", 10, file="f")


class Recorder:
    """An HTTP client that keeps what it was asked and gives one answer."""

    def __init__(self, inner: AiohttpHttp) -> None:
        self._inner = inner
        self.timeouts: list[float] = []

    async def request(self, method: str, url: str, **more: Any) -> Any:
        self.timeouts.append(more["timeout"])
        return await self._inner.request(method, url, **more)


@pytest.fixture
def recorder(http: AiohttpHttp) -> Recorder:
    return Recorder(http)


def through(login: str, server: MisbehavingServer, recorder: Recorder) -> Instagram:
    page = {"page_id": "1001" if login == "facebook" else ""}
    return Instagram({**CASE.config, **page, "base_url": server.base_url}, recorder)


@pytest.mark.parametrize(("login", "path"), [("facebook", "1001/messages"), ("instagram", f"{ACCOUNT}/messages")])
async def test_a_text_goes_by_the_page_or_by_the_account(login: str, path: str, server: MisbehavingServer, recorder: Recorder) -> None:
    instagram = through(login, server, recorder)
    server.behave(CASE.accepted)
    assert await instagram.send(TO, instagram.render([Text("x")])[0], KEY) == Accepted("aWdfc2VudDE=")
    assert server.seen[0].target.partition("/v")[2].partition("/")[2] == path
    assert server.seen[0].json()["message"] == {"text": "x", "metadata": f"heliograph:{KEY}"}


@pytest.mark.parametrize(
    ("config", "host"),
    [({}, "https://graph.facebook.com/"), ({"page_id": ""}, "https://graph.instagram.com/"), ({"base_url": "http://x/"}, "http://x/")],
)
async def test_the_host_follows_the_login(config: dict[str, str], host: str) -> None:
    asked: list[str] = []

    class Asked:
        async def request(self, method: str, url: str, **_: Any) -> Any:
            asked.append(url)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await Instagram({**CASE.config, **config}, Asked()).check()
    assert asked[0].startswith(host)


@pytest.mark.parametrize(
    ("login", "body", "expected"),
    [
        ("facebook", {"id": "1001", "instagram_business_account": {"id": ACCOUNT}}, Valid(f"instagram:{ACCOUNT}")),
        ("facebook", {"id": "2002", "instagram_business_account": {"id": ACCOUNT}}, Invalid(Reason.WRONG_IDENTITY, "another_page")),
        ("facebook", {"id": "1001", "instagram_business_account": {"id": "9"}}, Invalid(Reason.WRONG_IDENTITY, "another_account")),
        ("facebook", {"id": "1001", "name": "Shop"}, Inconclusive(Reason.NO_ANSWER, "ok_without_account")),
        ("instagram", {"user_id": ACCOUNT, "username": "shop", "id": "1"}, Valid(f"instagram:{ACCOUNT}")),
        ("instagram", {"user_id": "9", "username": "other"}, Invalid(Reason.WRONG_IDENTITY, "another_account")),
    ],
)
async def test_check_asks_whose_token_it_is(
    login: str, body: dict[str, Any], expected: CheckResult, server: MisbehavingServer, recorder: Recorder
) -> None:
    server.behave(answer(200, body))
    assert await through(login, server, recorder).check() == expected


async def test_a_file_goes_by_its_address_and_may_take_longer(server: MisbehavingServer, recorder: Recorder) -> None:
    instagram = through("facebook", server, recorder)
    server.behave(CASE.accepted)
    part, words = instagram.render([dataclasses.replace(IMAGE, caption="look")])
    assert words == Part("text", {"text": "look"})
    url = "https://desk.example/files/unguessable"
    assert await instagram.send(TO, dataclasses.replace(part, url=url), KEY) == Accepted("aWdfc2VudDE=")
    await instagram.send(TO, words, KEY)
    assert server.seen[0].json()["message"]["attachment"] == {"type": "image", "payload": {"url": url}}
    with_file, without = recorder.timeouts
    assert without < with_file <= instagram.spec.timeout


def test_an_image_has_a_limit_of_its_own() -> None:
    instagram = Instagram({**CASE.config}, None)  # type: ignore[arg-type]
    large = 9 * 1024 * 1024
    with pytest.raises(Unsupported, match="image"):
        instagram.render([dataclasses.replace(IMAGE, size=large)])
    assert instagram.render([dataclasses.replace(IMAGE, size=large, kind=MediaKind.VIDEO, media_type="video/mp4")])


def test_text_is_measured_in_bytes() -> None:
    instagram = Instagram({**CASE.config}, None)  # type: ignore[arg-type]
    assert [len(part.payload["text"].encode()) for part in instagram.render([Text("ї" * 501)])] == [1000, 2]


def test_a_signature_is_judged_alike_by_others() -> None:
    instagram = Instagram({**CASE.config}, None)  # type: ignore[arg-type]
    body = json.dumps({"object": "instagram", "entry": []}).encode()
    request = CASE.signed(body, CASE.webhook_secrets[0])
    instagram.verify(request)
    assert pywa.utils.webhook_updates_validator(CASE.webhook_secrets[0], body, request.headers["x-hub-signature-256"])
