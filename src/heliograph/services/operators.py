"""Operators: who runs the installation, known by tokens of their own, of which only hashes are kept."""

import hashlib

import msgspec

from heliograph.ports import rows
from heliograph.ports.store import Changes, Store
from heliograph.services import tokens
from heliograph.services.context import Context, Invalid, Missing, retrying

KIND = "operator_token"


class OperatorToken(msgspec.Struct):
    """A token of the installation; its document's id is the SHA-256 of its text."""

    id: str
    name: str
    created_at: int
    revoked_at: int = 0


def _hashed(text: str) -> str:
    return hashlib.sha256(b"operator:" + text.encode()).hexdigest()


async def issue(context: Context, name: str) -> tuple[str, str]:
    """A new token for an operator: (its id, its text, which is kept nowhere). Raises Invalid."""
    if not name.strip() or len(name) > 200:
        raise Invalid("An operator has a name of at most 200 characters.")
    text, id, now = tokens.new_text(context.rng), context.new_id("opr"), context.clock.now()
    data = msgspec.json.encode(OperatorToken(id, name.strip(), now)).decode()
    await context.store.commit(Changes("", now, "operator", puts=[rows.Document("", KIND, _hashed(text), 1, now, data)]))
    return id, text


async def authenticate(context: Context, text: str) -> OperatorToken | None:
    """Whose token it is, or None for one that is unknown or revoked. Raises Unavailable."""
    found = await context.store.document("", KIND, _hashed(text)) if tokens.well_formed(text) else None
    token = msgspec.json.decode(found.data, type=OperatorToken) if found is not None else None
    return token if token is not None and not token.revoked_at else None


async def listed(store: Store) -> list[OperatorToken]:
    """All that were ever issued, oldest first."""
    found = [msgspec.json.decode(document.data, type=OperatorToken) for document in await store.documents("", KIND)]
    return sorted(found, key=lambda token: token.created_at)


async def revoke(context: Context, id: str) -> None:
    """Make a token void from now on. Raises Missing."""

    async def act() -> None:
        for document in await context.store.documents("", KIND):
            token = msgspec.json.decode(document.data, type=OperatorToken)
            if token.id == id:
                token.revoked_at = token.revoked_at or context.clock.now()
                row = document._replace(version=document.version + 1, data=msgspec.json.encode(token).decode())
                await context.store.commit(Changes("", context.clock.now(), "operator", puts=[row]))
                return
        raise Missing("token")

    await retrying(act)
