"""Judges from the services' side alone what was lost, doubled or overtaken."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from heliograph.sandbox.wire import Json

Place = tuple[str, str]


@dataclass(slots=True)
class Taken:
    """One message of ours that a service accepted. `labels` are the values of its metadata."""

    sequence: int
    at: int
    service: str
    conversation: str
    message_id: str
    text: str = field(repr=False)
    labels: frozenset[str]
    identity: str = field(repr=False)


@dataclass(slots=True)
class Written:
    """One reply that the desk says was written; `order` is its place in its conversation."""

    order: float
    key: str | None
    text: str | None = field(repr=False)
    #: What the desk claims: "accepted", "failed", "cancelled", or nothing yet.
    claim: str | None = None


CLAIMS = ("accepted", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Counts:
    """Written replies = delivered + waiting + lost + given_up.

    `doubled` counts surplus copies, `overtaken` replies taken after a later one of their conversation,
    `unexpected` taken messages that nobody reported as written. `given_up` is what the desk itself calls failed or cancelled.
    """

    written: int = 0
    delivered: int = 0
    waiting: int = 0
    lost: int = 0
    given_up: int = 0
    doubled: int = 0
    overtaken: int = 0
    unexpected: int = 0
    accepted: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Member by member."""
        return Counts(*(getattr(self, n) + getattr(other, n) for n in Counts.__slots__))

    def to_json(self) -> Json:
        """For the control API."""
        return {n: getattr(self, n) for n in Counts.__slots__}


class BadReport(ValueError):
    """A report to the judge makes no sense."""


class Tally:
    """What was taken and what was written, by conversation."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._taken: dict[Place, list[Taken]] = {}
        self._written: dict[Place, list[Written]] = {}
        self._keys: set[tuple[Place, str]] = set()
        self._moved: dict[Place, Place] = {}
        self._cache: dict[Place, Counts] = {}
        self._sequence = 0
        self.final = False

    def take(self, *, at: int, service: str, conversation: str, message_id: str, text: str, metadata: Json | None) -> None:
        """A service accepted a message of ours."""
        self._sequence += 1
        labels = frozenset(str(v) for v in metadata.values()) if metadata else frozenset[str]()
        identity = json.dumps(metadata, sort_keys=True) if metadata else "text:" + text
        place = self._place(service, conversation)
        self._taken.setdefault(place, []).append(Taken(self._sequence, at, service, conversation, message_id, text, labels, identity))
        self._cache.pop(place, None)
        self._changed()

    def write(
        self, *, service: str, conversation: str, key: str | None = None, text: str | None = None, order: float | None = None
    ) -> None:
        """The desk wrote a reply. Without `order` its place is after those reported before. A key reported again changes nothing."""
        if not key and not text:
            raise BadReport("a written reply needs a key or a text")
        place = self._place(service, conversation)
        replies = self._written.setdefault(place, [])
        if key and (place, key) in self._keys:
            return
        if key:
            self._keys.add((place, key))
        replies.append(Written(order if order is not None else float(len(replies) + 1), key, text))
        self._cache.pop(place, None)
        self._changed()

    def claim(self, *, service: str, conversation: str, key: str | None = None, text: str | None = None, claim: str) -> None:
        """The desk says that a reply is finished with."""
        if claim not in CLAIMS:
            raise BadReport(f"claim must be one of {', '.join(CLAIMS)}")
        place = self._place(service, conversation)
        for written in self._written.get(place, []):
            if written.claim is None and (written.key == key if key else written.text == text):
                written.claim = claim
                self._cache.pop(place, None)
                self._changed()
                return
        raise BadReport("no such written reply")

    def finish(self) -> None:
        """From now on, what was written and not taken is lost."""
        self.final = True
        self._cache.clear()
        self._changed()

    def move(self, service: str, old: str, new: str) -> None:
        """A conversation got a new id; what was written to the old one is expected in the new one."""
        source, target = self._place(service, old), self._place(service, new)
        if source == target:
            return
        self._moved[(service, old)] = target
        self._taken[target] = sorted([*self._taken.get(target, []), *self._taken.pop(source, [])], key=lambda t: t.sequence)
        self._written[target] = [*self._written.get(target, []), *self._written.pop(source, [])]
        self._keys |= {(target, key) for place, key in self._keys if place == source}
        self._cache.pop(source, None)
        self._cache.pop(target, None)
        self._changed()

    def taken(self, service: str | None = None, conversation: str | None = None) -> list[Taken]:
        """What was taken, in order of acceptance."""
        found = [
            t for place, items in self._taken.items() for t in items
            if (service is None or place[0] == service) and (conversation is None or place == self._place(t.service, conversation))
        ]  # fmt: skip
        return sorted(found, key=lambda t: t.sequence)

    def counts(self) -> Counts:
        """The verdict over all conversations."""
        total = Counts()
        for place in {**self._written, **self._taken}:
            total = total.plus(self.counts_of(*place))
        return total

    def counts_of(self, service: str, conversation: str) -> Counts:
        """The verdict over one conversation."""
        place = self._place(service, conversation)
        if place not in self._cache:
            self._cache[place] = judge(self._written.get(place, []), self._taken.get(place, []), final=self.final)
        return self._cache[place]

    def reset(self) -> None:
        """Forget everything."""
        self._taken.clear()
        self._written.clear()
        self._keys.clear()
        self._moved.clear()
        self._cache.clear()
        self.final = False
        self._changed()

    def _place(self, service: str, conversation: str) -> Place:
        place = (service, conversation)
        while place in self._moved:
            place = self._moved[place]
        return place


def judge(written: list[Written], taken: list[Taken], *, final: bool) -> Counts:
    """Compare one conversation's written replies with what was taken, in order of acceptance."""
    ordered = sorted(written, key=lambda w: w.order)
    by_key = {w.key: i for i, w in enumerate(ordered) if w.key}
    by_text: dict[str, list[int]] = {}
    for i, reply in enumerate(ordered):
        if not reply.key and reply.text is not None:
            by_text.setdefault(reply.text, []).append(i)
    first_taken: list[int] = []
    seen: set[int] = set()
    strangers: dict[str, int] = {}
    doubled = 0
    for message in taken:
        match = _match(message, by_key, by_text, seen)
        if match is None:
            strangers[message.identity] = strangers.get(message.identity, 0) + 1
        elif match in seen:
            doubled += 1
        else:
            seen.add(match)
            first_taken.append(match)
    missing = [w for i, w in enumerate(ordered) if i not in seen]
    given_up = sum(1 for w in missing if w.claim in ("failed", "cancelled"))
    lost = sum(1 for w in missing if w.claim == "accepted" or (w.claim is None and final))
    return Counts(
        written=len(ordered),
        delivered=len(seen),
        waiting=len(missing) - given_up - lost,
        lost=lost,
        given_up=given_up,
        doubled=doubled + sum(n - 1 for n in strangers.values()),
        overtaken=_overtaken(first_taken),
        unexpected=len(strangers),
        accepted=len(taken),
    )


def _match(message: Taken, by_key: dict[str, int], by_text: dict[str, list[int]], seen: set[int]) -> int | None:
    for label in message.labels:
        if label in by_key:
            return by_key[label]
    candidates = by_text.get(message.text)
    if not candidates:
        return None
    return next((i for i in candidates if i not in seen), candidates[-1])


def _overtaken(order: list[int]) -> int:
    late, highest = 0, -1
    for place in order:
        if place < highest:
            late += 1
        highest = max(highest, place)
    return late
