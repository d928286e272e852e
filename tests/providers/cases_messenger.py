"""Messenger under the contract."""

from typing import Any

from heliograph.ports.provider import Address
from tests.providers import meta_messaging
from tests.providers.contract import BODY_CANARY, CANARY, Case
from tests.providers.meta_messaging import ERRORS, signed
from tests.providers.misbehaving import answer


def judge(body: Any) -> None:
    meta_messaging.judge(body, "page")


CASE = Case(
    config={
        "page_id": "1001",
        "token": f"EAA{CANARY}",
        "webhook_secret": f"{CANARY}-old {CANARY}-new",
        "verify_token": f"{CANARY}-verify",
        "app_id": "9001",
    },
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address("5001", "5001"),
    accepted=answer(200, {"recipient_id": "5001", "message_id": "m_sent1"}),
    provider_id="m_sent1",
    valid=answer(200, {"id": "1001", "name": BODY_CANARY}),
    named=answer(200, {"first_name": "Ada", "last_name": "Lovelace", "id": "1"}),
    identity="page:1001",
    errors=ERRORS,
    signed=signed,
    judge=judge,
    unjudged=frozenset({"in_an_array"}),
    codes="heliograph.providers.meta_messaging",
)
