"""API tokens: their text, which is shown once, and who somebody is who brings one."""

import hashlib
import re

from heliograph.domain import events as ev
from heliograph.ports import rows
from heliograph.ports.runtime import Rng
from heliograph.ports.store import Changes, Loose
from heliograph.services.configure import digest
from heliograph.services.context import Context, Missing

PREFIX = "hgt_"
#: Without i, l, o and u: nothing that is misread.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
SHAPE = re.compile(rf"^{PREFIX}[{ALPHABET}]{{40}}\Z")


def new_text(rng: Rng) -> str:
    """A fresh token: 160 random bits and 40 of checksum, so that a scanner or a typing error can be told from a real one."""
    body = "".join(_digits(rng.bits()) for _ in range(4))
    return f"{PREFIX}{body}{_checksum(body)}"


def well_formed(text: str) -> bool:
    """Whether this can be a token at all. Asking the store is needless where not."""
    return bool(SHAPE.match(text)) and _checksum(text[4:36]) == text[36:]


async def authenticate(context: Context, text: str) -> rows.Token | None:
    """The token as kept, or None for one that is unknown, expired or revoked. Raises Unavailable."""
    if not well_formed(text):
        return None
    token = await context.store.token_by_hash(digest(text))
    if token is None or token.revoked_at or (token.expires_at and token.expires_at <= context.clock.now()):
        return None
    return token


async def revoke(context: Context, account: str, token: str, *, actor: str) -> None:
    """Make a token void from now on; doing it again changes nothing. Raises Missing."""
    found = next((one for one in await context.store.tokens(account) if one.id == token), None)
    if found is None:
        raise Missing("token")
    if found.revoked_at:
        return
    changes = Changes(account, context.clock.now(), actor)
    changes.puts.append(rows.RevokeToken(account, token, changes.at))
    changes.loose.append(Loose("account", account, ev.TokenRevoked(token)))
    await context.store.commit(changes)


def _digits(bits: int) -> str:
    return "".join(ALPHABET[bits >> shift & 31] for shift in range(35, -1, -5))


def _checksum(body: str) -> str:
    return _digits(int.from_bytes(hashlib.sha256(f"{PREFIX}{body}".encode()).digest()[:5], "big"))
