"""The traffic of one worker: which channels share what, what may start now, and what answers teach about it."""

from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from heliograph.domain.outcomes import Accepted, Deferred, Refused, SendResult
from heliograph.domain.reasons import Reason
from heliograph.ports.store import Claimed, Room
from heliograph.services.bulkheads import PATIENCE, Bulkhead, Bulkheads, Call, Kind
from heliograph.services.channels import Connected
from heliograph.services.pacing import Lanes, Paces

#: Reasons of a call that brought no answer, where it took its time.
SILENT = frozenset({Reason.NO_ANSWER, Reason.NETWORK, Reason.PROVIDER_DOWN})
#: Share of what is free that channels get which this process has never used.
STRANGERS = 4
Key = tuple[str, str]
#: A provider and a host.
Place = tuple[str, str]
Name = TypeVar("Name")


class Traffic:
    """Bulkheads and paces of one worker with `concurrency` calls at once. A channel is known as (account, channel)."""

    def __init__(self, concurrency: int) -> None:
        self._bulkheads = Bulkheads(concurrency)
        self._paces = Paces()
        self._lanes = Lanes()
        self._channels: dict[Key, tuple[Bulkhead, ...]] = {}
        self._known: dict[Key, Connected] = {}
        self._accounts: dict[str, Bulkhead] = {}
        self._places: dict[Place, Bulkhead] = {}
        self._apps: dict[tuple[str, str], Bulkhead] = {}
        self._now = 0
        #: What the last claim may still take of each bulkhead that it has asked about.
        self._given: dict[Bulkhead, int] = {}
        #: Bulkheads for which the last claim has found or left no room.
        self._crowded: set[Bulkhead] = set()

    def know(self, connected: Connected, call: Call, now: int) -> None:
        """A channel as it is configured now, and a call on it that has started."""
        if call.known is connected:
            return
        call.known = connected
        channel = connected.channel
        key = (channel.account, channel.id)
        if self._known.get(key) is not connected:
            self._known[key] = connected
            self._describe(key, connected, now)
        if not call.bulkheads:
            self._bulkheads.join(call, self._channels[key])

    def _describe(self, key: Key, connected: Connected, now: int) -> None:
        channel = connected.channel
        known = self._channels.get(key)
        spec, config = connected.spec, msgspec.json.decode(channel.config)
        place = self._shared(self._places, Kind.PLACE, place_of(connected))
        mine = known[0] if known is not None and known[0].place is place else self._bulkheads.new(Kind.CHANNEL, place)
        account = self._shared(self._accounts, Kind.ACCOUNT, channel.account)
        bulkheads = [mine, account, place]
        self._paces.know(mine, spec.rates.channel, now)
        if spec.rates.app is not None or spec.rates.channel is None:
            # With its holder: what one account calls its app must not slow another account's. Without a name it is the credential's:
            # a limit of which nothing is published counts by the key, as far as anybody can tell, and never by more.
            named = f"{connected.holder} {config.get(spec.rates.app_field) or connected.credential.shared or connected.credential.id}"
            app = self._shared(self._apps, Kind.APP, (spec.name, named))
            self._paces.know(app, spec.rates.app, now)
            bulkheads.append(app)
        self._channels[key] = tuple(bulkheads)

    def _shared(self, known: dict[Name, Bulkhead], kind: Kind, name: Name) -> Bulkhead:
        bulkhead = known.get(name)
        if bulkhead is None:
            bulkhead = known[name] = self._bulkheads.new(kind)
        return bulkhead

    # --- what may start -------------------------------------------------------------------------

    def room(self, now: int) -> tuple[int, Room]:
        """How many lanes to claim, and of which."""
        self._now = now
        self._paces.look()
        self._given.clear()
        self._crowded.clear()
        free = self._bulkheads.free(now)
        return free, Room(self._channels, self._left, -(-free // STRANGERS))

    def _left(self, bulkhead: Bulkhead) -> int:
        room = self._bulkheads.left(bulkhead)
        if room and bulkhead.pace is not None:
            room = min(room, self._paces.available(bulkhead.pace, self._now))
        if not room:
            self._crowded.add(bulkhead)
        self._given[bulkhead] = room
        return room

    def may_go_on(self, account: str, channel: str) -> bool:
        """Whether a lane may keep its call: the last claim left the channel room, so none of its other lanes waits for it."""
        if not self._crowded and not self._paces:
            return True
        return not any(bulkhead.pace is not None or bulkhead in self._crowded for bulkhead in self._channels.get((account, channel), ()))

    def not_before(self, claimed: Claimed, connected: Connected) -> int:
        """When the next message of the conversation may start; 0 where its provider documents no pace of conversations."""
        return self._lanes.next_at(connected.spec.rates, claimed.lane, claimed.delivery.started_at)

    def next_at(self, now: int) -> int | None:
        """When there will be more room although nothing ends, where a claim has missed some."""
        ages, paces = self._bulkheads.next_at(), self._paces.next_at(now) if self._paces else None
        return paces if ages is None else ages if paces is None else min(ages, paces)

    def paced_since(self, moment: int) -> bool:
        """Whether anything has started at a pace since then."""
        return self._paces.started_at > moment

    def share_paces(self, share: float) -> None:
        """Several processes send: what share of each published pace is this one's."""
        self._paces.share(share)

    @property
    def under_way(self) -> int:
        """Calls."""
        return self._bulkheads.under_way

    def speaks_of_lane(self, lane: str) -> bool:
        """Whether the lane's last refusal for coming too fast was its own affair, so that the channel need not wait."""
        return self._lanes.alone(lane)

    # --- calls ----------------------------------------------------------------------------------

    def begin(self, claimed: Iterable[Claimed], now: int) -> list[Call]:
        """Calls start, in the same moment in which they were claimed."""
        calls = []
        used_up = []
        given = self._given
        for one in claimed:
            bulkheads = self._channels.get((one.delivery.account, one.delivery.channel), ())
            calls.append(self._bulkheads.begin(bulkheads, now))
            if self._paces:
                self._paces.begin(bulkheads, now)
            for bulkhead in bulkheads:
                given[bulkhead] = left = given.get(bulkhead, 0) - 1
                if left <= 0:
                    used_up.append(bulkhead)
        for bulkhead in used_up:
            # There may be more lanes that wait for it.
            self._left(bulkhead)
            self._crowded.add(bulkhead)
        return calls

    def again(self, call: Call, now: int) -> None:
        """A call's lane goes on with its next message."""
        self._bulkheads.again(call, now)

    def end(self, call: Call) -> None:
        """A call is over, and its answer is written down."""
        self._bulkheads.end(call)

    def answered(self, call: Call, connected: Connected, lane: str, result: SendResult, now: int) -> None:
        """What came of a call."""
        started_at = call.started_at
        if isinstance(result, (Accepted, Refused)):
            for bulkhead in call.bulkheads:
                if bulkhead.kind is not Kind.ACCOUNT:
                    bulkhead.window.answered(now)
            if isinstance(result, Accepted):
                self._paces.accepted(call.bulkheads, now)
                self._lanes.accepted(lane)
        elif result.reason is Reason.RATE_LIMITED:
            after, told = (result.after, result.lane) if isinstance(result, Deferred) else (None, False)
            if not self._lanes.refused(connected, lane, now, busy=self._paces.busy(call.bulkheads, now), told=told):
                self._paces.refused(call.bulkheads, connected.spec.rates, started_at=started_at, after=after, now=now)
        elif result.reason in SILENT and now - started_at >= PATIENCE:
            for bulkhead in call.bulkheads:
                bulkhead.window.silent(started_at)


def place_of(connected: Connected) -> Place:
    """Where a channel's provider is reached."""
    return connected.spec.name, _host(msgspec.json.decode(connected.channel.config))


def _host(config: dict[str, object]) -> str:
    """The host, as far as a channel says so itself: "" is where all of its kind are."""
    try:
        return urlsplit(str(config.get("base_url") or "").lower()).netloc
    except ValueError:
        # No address, so nothing will ever be there: a place of its own.
        return "nowhere"
