"""After downtime: ask providers what we missed, and measure it. Also the plain polling of those that need no webhook."""

from heliograph.domain.events import CaughtUp
from heliograph.domain.outcomes import CheckResult
from heliograph.domain.reasons import REASONS, Effect
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import Address, PollFailed
from heliograph.ports.store import Changes, Loose
from heliograph.services.context import Context
from heliograph.services.ingest import ingest

#: Conversations in which the contact wrote within this time are asked about.
RECENT = 30 * 24 * 3600 * SECOND
#: Absence shorter than this is covered by the providers' own repeats.
SHORT = 30 * SECOND
#: Providers' clocks and ours differ; asking twice costs nothing, since everything is taken once.
OVERLAP = 120 * SECOND


async def catch_up(context: Context, channel: rows.Channel, *, force: bool = False) -> int | None:
    """Ask about each recent conversation since the channel was last known to listen. Returns what was missed, None if not asked.

    A provider without "history" cannot be asked. The channel's mark moves when everything was asked; where the provider cannot
    answer now, PollFailed is raised and nothing may mark the channel as listening before this was made again.
    """
    connected = await context.channels.get(channel.account, channel.id)
    if connected is None or "history" not in connected.spec.capabilities:
        return None
    mark = await context.store.cursor(channel.account, channel.id)
    now = context.clock.now()
    if mark is None or (now - mark.at < SHORT and not force):
        return None
    conversations = await context.store.conversations_since(channel.account, channel.id, mark.at - RECENT)
    missed = 0
    for conversation in conversations:
        try:
            items = await connected.provider.history(Address(conversation.address), mark.at - OVERLAP)
        except PollFailed as failed:
            if REASONS[failed.result.reason].effect is Effect.FAIL:
                # This conversation is closed or gone, for good: the others must not wait for it.
                continue
            context.suspect(channel.account, channel.id)
            raise
        missed += await ingest(context, channel, items)
    changes = Changes(channel.account, now)
    changes.puts.append(rows.Cursor(channel.account, channel.id, "", now))
    changes.loose.append(Loose("channel", channel.id, CaughtUp(len(conversations), missed), channel.id))
    await context.store.commit(changes)
    return missed


async def mark_listening(context: Context, channel: rows.Channel) -> None:
    """Note that the channel's webhook is being served now: downtime is measured from the last such mark."""
    connected = await context.channels.get(channel.account, channel.id)
    if connected is not None and "history" in connected.spec.capabilities:
        now = context.clock.now()
        changes = Changes(channel.account, now)
        changes.puts.append(rows.Cursor(channel.account, channel.id, "", now))
        await context.store.commit(changes)


async def poll(context: Context, channel: rows.Channel) -> CheckResult | int:
    """One round of asking for news. Returns how many were new, or why asking failed."""
    connected = await context.channels.get(channel.account, channel.id)
    if connected is None or "poll" not in connected.spec.capabilities:
        return 0
    mark = await context.store.cursor(channel.account, channel.id)
    cursor = mark.cursor if mark is not None else ""
    try:
        items, after = await connected.provider.poll(cursor)
    except PollFailed as failed:
        context.suspect(channel.account, channel.id)
        return failed.result
    new = await ingest(context, channel, items)
    if after != cursor:
        changes = Changes(channel.account, context.clock.now())
        changes.puts.append(rows.Cursor(channel.account, channel.id, after, changes.at))
        await context.store.commit(changes)
    return new
