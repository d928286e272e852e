"""Signs and proves calls as Standard Webhooks 1.0 describes, with a shared secret.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from heliograph.providers.proofs import proves

PREFIX = "whsec_"
#: Bytes of a secret, by the specification.
SHORTEST = 24
#: Seconds that a call may be old, or ahead.
TOLERANCE = 300
#: Signatures of one call that are looked at; there are two while a secret is changed.
MOST = 8


def secret_bytes(secret: str) -> bytes | None:
    """The key that a written secret stands for; None where it is none, or too short to be one."""
    written = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) >= SHORTEST else None


def signature(key: bytes, id: str, at: str, body: bytes) -> str:
    """One entry of `webhook-signature`."""
    signed = f"{id}.{at}.".encode("utf-8", "surrogateescape") + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def headers(keys: Sequence[bytes], id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers that prove a call made now, in Unix seconds: with each key, so that either side may change first."""
    at = str(seconds)
    proofs = " ".join(signature(key, id, at, body) for key in keys)
    return {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": proofs}


def fault(keys: Sequence[bytes], given: Mapping[str, str], body: bytes, *, now: int) -> str:
    """The name of the header that does not prove a call that came in at `now`, Unix seconds; "" where all is well."""
    id, at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not id:
        return "webhook-id"
    if not (at.isascii() and at.isdecimal() and len(at) < 16) or abs(now - int(at)) > TOLERANCE:
        return "webhook-timestamp"
    wanted = [signature(key, id, at, body).encode("ascii") for key in keys]
    proved = [proves(each, wanted) for each in given.get("webhook-signature", "").split()[:MOST]]
    return "" if any(proved) else "webhook-signature"
