"""Keeps webhook calls that could not be verified while the fault may be ours, and takes them in once the right secret is known.

What is kept is sealed: a call may carry the secret itself, and the text is a customer's. It is bounded by number, size and age; beyond that
only the provider's own repeats are left.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from heliograph.domain import quarantine_events as ev
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import BadSignature, RawRequest
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Changes, Loose
from heliograph.services.channels import Connected
from heliograph.services.context import Context
from heliograph.services.ingest import ingest
from heliograph.services.sealed import Sealed

KIND = "quarantine"
#: Calls, and characters as kept, of one account and of all; and how long a call is kept.
NUMBER, SIZE, ALL_SIZE, AGE = 500, 8_000_000, 64_000_000, 3 * 86_400 * SECOND
#: How long a process believes what it has measured, and how often it looks at what it could not verify, while nothing calls.
MEASURED_FOR, PAUSE = SECOND, 2 * SECOND
#: After this time a call that the proved secret does not verify is taken for forged: releases with other secrets have had their turn.
FORGED = 600 * SECOND
#: Not kept: nothing that proves a call is in them, and a repeat has others.
PASSING = ("cookie", "forwarded", "via", "x-forwarded-", "x-real-ip", "x-request-id")


class Kept(msgspec.Struct):
    """One call. `sealed` opens to all of it."""

    channel: str
    at: int
    sealed: str


class Call(msgspec.Struct):
    """What is sealed; `body` in base64."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    url: str = ""
    at: int = 0

    def __repr__(self) -> str:
        return "Call(…)"


def sealed_at(account: str, id: str) -> str:
    """What a kept call is bound to."""
    return f"{account}|quarantine|{id}"


@dataclass(slots=True)
class Quarantine:
    """One per process: what it measured, and which calls it found that it cannot verify, and with which version of the secrets."""

    _measured: dict[str, rows.Measured] = field(default_factory=dict)
    _measured_at: int = -MEASURED_FOR
    _looked_at: int = -PAUSE
    _tried: dict[str, str] = field(default_factory=dict)
    #: Channels that were last looked through in vain, and when.
    _released: dict[str, int] = field(default_factory=dict)
    _keeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self, context: Context, connected: Connected, request: RawRequest) -> bool:
        """Keep the call; the same call once. False where there is no room. Raises Unavailable."""
        # One after the other: calls that come together would all find the same room.
        async with self._keeping:
            return await self._keep(context, connected, request)

    async def _keep(self, context: Context, connected: Connected, request: RawRequest) -> bool:
        account, channel, now = connected.channel.account, connected.channel.id, context.clock.now()
        await self._measure(context)
        there = self._measured.get(account, rows.Measured(account, 0, 0))
        if there.number >= NUMBER:
            # Before it costs anything to seal it.
            context.observe("quarantine_full", {"channel": channel})
            return False
        headers = {name: value for name, value in request.headers.items() if not name.startswith(PASSING)}
        call = Call(request.method, request.path, dict(request.query), headers, b64encode(request.body).decode(), request.url, request.at)
        plain = {"call": msgspec.json.encode(call).decode()}
        carried = {name: value for name, value in headers.items() if name.startswith("x-")} | {"": call.body}
        id = f"{channel}:{context.channels.vault.fingerprint(carried)}"
        data = msgspec.json.encode(Kept(channel, now, context.channels.vault.seal(plain, place=sealed_at(account, id)))).decode()
        total = sum(each.size for each in self._measured.values())
        if there.size + len(data) > SIZE or total + len(data) > ALL_SIZE:
            context.observe("quarantine_full", {"channel": channel})
            return False
        if await context.store.document(account, KIND, id) is not None:
            return True
        changes = Changes(account, now, puts=[rows.Document(account, KIND, id, 0, now, data)])
        if not there.number:
            changes.loose.append(Loose("channel", channel, ev.CallsQuarantined(), channel))
        await context.store.commit(changes)
        self._measured[account] = there._replace(number=there.number + 1, size=there.size + len(data))
        self._looked_at = -PAUSE
        return True

    async def release(self, context: Context, connected: Connected) -> None:
        """A call on this channel was verified: take in what is kept of it first, in the order in which it came.

        What the secret that was just proved right does not verify either, a while after it came, is nobody's but a forger's.
        """
        await self._measure(context)
        account, channel, now = connected.channel.account, connected.channel.id, context.clock.now()
        if self._measured.get(account) is None or now - self._released.get(channel, -PAUSE) < PAUSE:
            return
        kept = [document for document in await context.store.documents(account, KIND) if _channel(document) == channel]
        if not await self._again(context, connected, kept):
            self._released[channel] = now
        await self._drop(context, account, channel, [d for d in kept if d.id in self._tried and now - d.updated_at > FORGED])

    async def step(self, context: Context) -> None:
        """Try what is kept with the secrets that are known now, and drop what is too old. Safe in several processes."""
        now = context.clock.now()
        if now - self._looked_at < PAUSE:
            return
        self._looked_at = now
        self._measured_at = -MEASURED_FOR
        await self._measure(context)
        if not self._measured:
            self._tried.clear()
            return
        by_channel: dict[tuple[str, str], list[rows.Document]] = {}
        for document in await context.store.documents_of_all(KIND):
            by_channel.setdefault((document.account, _channel(document)), []).append(document)
        for (account, channel), documents in by_channel.items():
            young = [document for document in documents if now - document.updated_at <= AGE]
            await self._drop(context, account, channel, [document for document in documents if document not in young])
            connected = await context.channels.get(account, channel)
            if connected is not None and not isinstance(connected.provider, Sealed):
                await self._again(context, connected, [d for d in young if self._tried.get(d.id) != connected.version])

    async def _measure(self, context: Context) -> None:
        now = context.clock.now()
        if now - self._measured_at >= MEASURED_FOR:
            self._measured = {each.account: each for each in await context.store.documents_measured(KIND)}
            self._measured_at = now

    async def _again(self, context: Context, connected: Connected, documents: Sequence[rows.Document]) -> int:
        account, channel = connected.channel.account, connected.channel
        verified, items = [], 0
        for document in sorted(documents, key=lambda each: (each.updated_at, each.id)):
            request = _opened(context, document)
            try:
                if request is None:
                    raise BadSignature("sealed")
                connected.provider.verify(request)
            except BadSignature:
                self._tried[document.id] = connected.version
                continue
            items += await ingest(context, channel, connected.provider.parse(request))
            verified.append(document)
        if verified:
            changes = Changes(account, context.clock.now())
            changes.puts += [rows.DropDocument(account, KIND, document.id) for document in verified]
            changes.loose.append(Loose("channel", channel.id, ev.CallsReleased(len(verified), items), channel.id))
            await context.store.commit(changes)
            self._measured_at = -MEASURED_FOR
            context.observe("quarantine_released", {"channel": channel.id, "calls": len(verified), "items": items})
        return len(verified)

    async def _drop(self, context: Context, account: str, channel: str, documents: Sequence[rows.Document]) -> None:
        if documents:
            changes = Changes(account, context.clock.now())
            changes.puts += [rows.DropDocument(account, KIND, document.id) for document in documents]
            changes.loose.append(Loose("channel", channel, ev.CallsDropped(len(documents)), channel))
            await context.store.commit(changes)


def _channel(document: rows.Document) -> str:
    return document.id.partition(":")[0]


def _opened(context: Context, document: rows.Document) -> RawRequest | None:
    try:
        kept = msgspec.json.decode(document.data, type=Kept)
        plain = context.channels.vault.open(kept.sealed, place=sealed_at(document.account, document.id))
    except SealBroken:
        return None
    call = msgspec.json.decode(plain["call"], type=Call)
    return RawRequest(call.method, call.path, call.query, call.headers, b64decode(call.body), call.url, call.at)
