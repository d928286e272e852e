"""Instagram under the contract, with Facebook Login; what is different with Instagram Login stands in test_instagram."""

from typing import Any

from heliograph.ports.provider import Address
from tests.providers import meta_messaging
from tests.providers.contract import BODY_CANARY, CANARY, Case
from tests.providers.meta_messaging import ERRORS, signed
from tests.providers.misbehaving import answer


def judge(body: Any) -> None:
    meta_messaging.judge(body, "instagram")


CASE = Case(
    config={
        "account_id": "17841400000000001",
        "token": f"EAA{CANARY}",
        "page_id": "1001",
        "webhook_secret": f"{CANARY}-old {CANARY}-new",
        "verify_token": f"{CANARY}-verify",
        "app_id": "9001",
    },
    webhook_secrets=(f"{CANARY}-old", f"{CANARY}-new"),
    base_url=lambda server: server,
    to=Address("6001", "6001"),
    accepted=answer(200, {"recipient_id": "6001", "message_id": "aWdfc2VudDE="}),
    provider_id="aWdfc2VudDE=",
    valid=answer(200, {"id": "1001", "name": BODY_CANARY, "instagram_business_account": {"id": "17841400000000001"}}),
    named=answer(200, {"name": "Ada Lovelace", "username": "ada", "id": "1"}),
    identity="instagram:17841400000000001",
    errors=ERRORS,
    signed=signed,
    judge=judge,
    unjudged=frozenset({"of_a_page"}),
    codes="heliograph.providers.meta_messaging",
)
