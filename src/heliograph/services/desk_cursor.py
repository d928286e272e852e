"""How far a desk has come in an account's ledger: it has everything up to there."""

import msgspec

from heliograph.ports import rows
from heliograph.ports.store import Store

#: The document's id is the channel's.
KIND = "desk_cursor"


class Reached(msgspec.Struct, frozen=True):
    """Up to which event of the account's ledger the desk has everything."""

    seq: int


async def reached(store: Store, account: str, channel: str) -> tuple[int, int]:
    """That event's number, and the version of the row that says so; zeros where there is none."""
    document = await store.document(account, KIND, channel)
    return (0, 0) if document is None else (msgspec.json.decode(document.data, type=Reached).seq, document.version)


def row(account: str, channel: str, seq: int, at: int, version: int) -> rows.Document:
    """Write: the desk has everything up to there."""
    return rows.Document(account, KIND, channel, version, at, msgspec.json.encode(Reached(seq)).decode())


async def at_the_end(store: Store, account: str, channel: str, at: int) -> rows.Document:
    """Write, for a new link: what was said before belongs to nobody in the desk."""
    return row(account, channel, await _end(store, account), at, 1)


async def _end(store: Store, account: str) -> int:
    """The number of the account's last event: halved down to, since numbers are shared by all accounts and only grow."""
    low, high = 0, 1
    while await store.account_events(account, after=high, limit=1):
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if await store.account_events(account, after=middle, limit=1):
            low = middle + 1
        else:
            high = middle
    return high
