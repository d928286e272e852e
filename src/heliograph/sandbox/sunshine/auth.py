"""Who calls: Basic key_id:secret, or a JWT signed with a key."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

from heliograph.sandbox.sunshine.state import Key
from heliograph.sandbox.wire import SECOND, Request


def claimed_key(request: Request) -> str:
    """The key id that a request names, proved or not; for the journal."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return (_decode(value) or b"").partition(b":")[0].decode("utf-8", "replace")[:64]
    if scheme.lower() == "bearer":
        return str(_part(value, 0).get("kid", ""))[:64]
    return ""


def authenticate(request: Request, keys: Mapping[str, Key], now: int) -> Key | None:
    """The key that a request proves to hold; None if it proves nothing or the key is revoked."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            key = _basic(value, keys)
        case "bearer":
            key = _bearer(value, keys, now)
        case _:
            return None
    return None if key is None or key.revoked else key


def _basic(value: str, keys: Mapping[str, Key]) -> Key | None:
    name, _, secret = (_decode(value) or b"").partition(b":")
    key = keys.get(name.decode("utf-8", "replace"))
    return key if key and hmac.compare_digest(secret, key.secret.encode()) else None


def _bearer(token: str, keys: Mapping[str, Key], now: int) -> Key | None:
    header, claims = _part(token, 0), _part(token, 1)
    key = keys.get(str(header.get("kid")))
    signed, _, signature = token.rpartition(".")
    if key is None or header.get("alg") != "HS256" or claims.get("scope") != key.kind:
        return None
    expected = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).digest()
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires * SECOND <= now:
        return None
    return key if hmac.compare_digest(expected, _decode(signature) or b"") else None


def _part(token: str, number: int) -> dict[str, object]:
    pieces = token.split(".")
    raw = _decode(pieces[number]) if len(pieces) == 3 else None
    try:
        value = json.loads(raw or b"")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _decode(value: str) -> bytes | None:
    try:
        return base64.b64decode(value.strip().replace("-", "+").replace("_", "/") + "=" * (-len(value.strip()) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
