"""The simulated Twilio's Content API: templates with their approvals, and what a contact reads of one."""

import json
import re
from typing import Any

from heliograph.sandbox.direct.service import Call, DirectService
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.direct.twilio_messages import refused
from heliograph.sandbox.ids import Ids
from heliograph.sandbox.wire import Json, Response, answer

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def seeded(ids: Ids) -> list[Json]:
    """Templates that every account has: one that can be sent, one that waits for approval."""

    def one(name: str, body: str, state: str, **variables: str) -> Json:
        approval = {
            "name": name, "category": "UTILITY", "content_type": "twilio/text", "status": state, "rejection_reason": "",
            "allow_category_change": True,
        }  # fmt: skip
        return {
            "sid": f"HX{ids.hex_token(32)}", "friendly_name": name, "language": "en", "variables": variables, "date_created": None,
            "date_updated": None, "types": {"twilio/text": {"body": body}}, "approval_requests": approval,
        }  # fmt: skip

    return [
        one("parcel_update", "Your parcel {{1}} arrives {{2}}.", "approved", **{"1": "7001", "2": "tomorrow"}),
        one("sale", "Everything must go, {{1}}!", "pending", **{"1": "Ada"}),
    ]


def listed(service: DirectService, call: Call) -> Response:
    """All templates of the account."""
    found = [{**each, "account_sid": call.account.id} for each in call.account.more["templates"].values()]
    url = f"{call.account.more['base']}/v1/ContentAndApprovals"
    meta = {
        "page": 0,
        "page_size": 50,
        "first_page_url": url,
        "previous_page_url": None,
        "url": url,
        "next_page_url": None,
        "key": "contents",
    }
    return answer(200, {"contents": found, "meta": meta})


def rendered(account: Account, sid: str, variables: str) -> str:
    """What a contact reads. Raises Problem."""
    template = account.more["templates"].get(sid)
    if template is None:
        raise refused(21655)
    try:
        given: Any = json.loads(variables or "{}")
    except (ValueError, RecursionError):
        raise refused(21656) from None
    if not isinstance(given, dict) or not all(isinstance(value, str) and value for value in given.values()):
        raise refused(21656)
    values: Json = {**template["variables"], **given}
    return _PLACE.sub(lambda place: str(values.get(place[1], "")), template["types"]["twilio/text"]["body"])
