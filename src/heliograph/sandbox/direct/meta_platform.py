"""What the simulated services of Meta share on the wire: errors, signed webhook calls, and the question whether an address is ours.

Source: Meta's reference of the Graph API and of webhooks.
"""

import hashlib
import hmac
from urllib.parse import urlencode

from heliograph.sandbox.direct.service import DirectService, Problem
from heliograph.sandbox.direct.state import Account
from heliograph.sandbox.errands import Answer
from heliograph.sandbox.outbox import Target
from heliograph.sandbox.wire import Json, answer

#: Meta asks once, when an admin presses "Verify and save"; these are the seconds after which the admin presses again.
PRESSED_AGAIN = (1.0, 5.0, 30.0, 120.0, 600.0)
QUESTION_TIMEOUT = 20.0


def problem(code: int, message: str, subcode: int = 0, *, data: Json | None = None, number: int = 400) -> Problem:
    """An error as the Graph API words it."""
    error: Json = {"message": message, "type": "OAuthException", "code": code}
    if subcode:
        error["error_subcode"] = subcode
    if data is not None:
        error["error_data"] = data
    return Problem(answer(number, {"error": {**error, "fbtrace_id": "AbCdEfGhIjKlMnOpQr"}}))


def signed(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a webhook call."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-hub-signature-256": f"sha256={digest}", "user-agent": "facebookexternalua"}


class MetaService(DirectService):
    """A service with Meta's webhooks. An account's `more` has the "verify_token" that an address must know."""

    def set_webhook(self, account: Account, url: str) -> None:
        """A new address is asked whether it knows the verify token; one that never answers as it should is given up."""
        super().set_webhook(account, url)
        if account.target is not None:
            self._ask(account, account.target, pressed=0)

    def _ask(self, account: Account, target: Target, *, pressed: int) -> None:
        challenge = self.hub.ids.hex_token(32)

        def came(answer: Answer | None) -> None:
            if target.removed or (answer is not None and (answer.code, answer.body) == (200, challenge.encode())):
                return
            if pressed < len(PRESSED_AGAIN):
                self._ask(account, target, pressed=pressed + 1)
            else:
                self.set_webhook(account, "")

        asked = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": account.more["verify_token"]}
        url = f"{target.url}{'&' if '?' in target.url else '?'}{urlencode(asked)}"
        after = PRESSED_AGAIN[pressed - 1] if pressed else 0.0
        self.hub.errands.put(self.name, "challenge", "GET", url, done=came, timeout=QUESTION_TIMEOUT, after=after)
