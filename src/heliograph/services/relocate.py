"""A conversation has another address at the provider; where another one of ours is there already, they become one."""

from heliograph.ports import rows
from heliograph.ports.store import Changes, Merge, Store


async def relocate(store: Store, changes: Changes, channel: str, old: str, new: str) -> rows.Conversation | None:
    """Add to `changes` that what was at address `old` is at `new`. Returns the conversation that was there, None if none is any more.

    A conversation that is gone at the provider is not joined: what comes to its address is a new one.
    """
    moved = await store.conversation_at(changes.account, channel, old)
    if moved is None or old == new:
        return None
    there = await store.conversation_at(changes.account, channel, new)
    if there is None or there.removed:
        changes.puts.append(rows.Readdress(changes.account, moved.id, new, 0))
    else:
        changes.puts.append(rows.Readdress(changes.account, moved.id, new, 2))
        changes.merges.append(Merge(moved.id, there.id, channel))
    return moved
