"""One request must not keep everybody else waiting."""

import time
from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from heliograph.bootstrap.application import Config, build
from heliograph.bootstrap.metrics import Metrics
from heliograph.web.api.bodies import _walk
from heliograph.web.app import create_app
from heliograph.web.problems import Refused
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes
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


async def test_a_form_of_a_million_fields_is_refused_unread(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32, http_process=False))
    app = create_app(application, vitals=Vitals(Metrics(application.context.clock.now)), extra=routes)
    many = {"content-type": "application/x-www-form-urlencoded"}
    async with AsyncTestClient(app) as client:
        assert (await client.post("/desk/sign-in", content=b"token=x&next=%2Fdesk", headers=many)).status_code == 422
        assert (await client.post("/desk/sign-in", content=b"a&" * 500_000, headers=many)).status_code == 413
    await application.close()
