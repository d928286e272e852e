"""The Events tab tells a ticket's own events, and of its channel just the holds that a reply sat through."""

from dataclasses import fields
from typing import Any, get_type_hints

import msgspec
import pytest

from heliograph.domain import events as ev
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import REASONS, Reason
from heliograph.ports.rows import EventRead
from heliograph.projections.timeline import FOREVER, Span, Tone, spans_waiting, timeline


def read(seq: int, event: ev.Event, *, subject: str = "dlv", stream: str = "ticket", actor: str = "system") -> EventRead:
    """An event as recorded at second `seq`."""
    return EventRead(
        seq, "acc", stream, "id", subject, 1, event.kind, event.version, seq * 1_000_000, None, actor, "chn", "crd@f", "r1",
        getattr(event, "attempt", None), getattr(event, "reason", ""), msgspec.json.encode(event).decode(),
    )  # fmt: skip


QUEUED = ev.ReplyQueued(1, 1)
HELD = ev.HoldStarted(Reason.BAD_CREDENTIALS, "unauthorized", "send", 0)
FREE = ev.HoldEnded(3)


def test_a_reply_waits_from_its_saving_to_its_acceptance_and_again_when_handed_back() -> None:
    own = [
        read(1, QUEUED), read(2, ev.AttemptStarted(1, "f")), read(5, ev.AttemptAccepted(1, "m")),
        read(7, ev.ReceiptReturned(Reason.BAD_CREDENTIALS, "", "m")), read(9, QUEUED, subject="two"),
    ]  # fmt: skip
    assert spans_waiting(own) == [
        Span(1_000_000, 5_000_000), Span(7_000_000, FOREVER), Span(9_000_000, FOREVER),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [
        (2, 3, True),
        (0, 1, True),
        (0, 2, True),
        (4, 9, True),
        (5, 9, False),
        (None, 3, True),
        (2, None, True),
        (6, None, False),
        (6, 7, False),
    ],
)  # fmt: skip
def test_a_hold_is_told_where_a_reply_waited_through_it(began: int | None, ended: int | None, told: bool) -> None:
    own = [read(1, QUEUED), read(4, ev.AttemptAccepted(1, "m"))]
    health = []
    if began is not None:
        health.append(read(began, HELD, subject="credential:crd@f", stream="credential"))
    if ended is not None:
        health.append(read(ended, FREE, subject="credential:crd@f", stream="credential"))
    shown = timeline(own, [[], health], names={})
    assert ({"hold_started", "hold_ended"} & {entry.kind for entry in shown} != set()) is told
    assert [entry.seq for entry in shown] == sorted(entry.seq for entry in shown)


def test_settings_and_other_subjects_of_the_channel_stay_out() -> None:
    own = [read(1, QUEUED)]
    health = [
        read(2, ev.ChannelConfigured("sunshine", ("name",)), stream="channel"),
        read(3, HELD, subject="credential:crd@old", stream="credential"),
        read(4, FREE, subject="credential:crd@other", stream="credential"),
    ]  # fmt: skip
    shown = timeline(own, [health], names={})
    assert [entry.kind for entry in shown] == ["reply_queued", "hold_started", "hold_ended"]


SAMPLES: dict[Any, Any] = {
    int: 1,
    int | None: 1,
    float: 0.5,
    str: "x",
    bool: False,
    Reason: Reason.NO_ANSWER,
    ReceiptLevel: ReceiptLevel.READ,
}


def test_every_kind_of_event_is_a_whole_sentence() -> None:
    for kind, cls in ev.EVENTS.items():
        hints = get_type_hints(cls)
        values = {field.name: SAMPLES.get(hints[field.name], ("a",)) for field in fields(cls)}  # type: ignore[arg-type]
        values |= {name: cls_value for name, cls_value in {"author": "contact", "how": "echo"}.items() if name in values}
        (entry,) = timeline([read(1, cls(**values))], [], names={"dlv": "Reply 1, part 2 of 3"})
        assert entry.sentence.endswith(".") and "{" not in entry.sentence, kind
        assert entry.about == "Reply 1, part 2 of 3"


def test_reason_remedy_code_attempt_and_release_come_along() -> None:
    event = ev.AttemptDeferred(3, Reason.RATE_LIMITED, "429", 0, 0)
    (entry,) = timeline([read(1, event)], [], names={"dlv": "Reply 1"})
    row = REASONS[Reason.RATE_LIMITED]
    assert (entry.reason, entry.remedy, entry.code, entry.attempt, entry.release) == (row.sentence, row.remedy, "429", 3, "r1")
    assert entry.tone is Tone.WAIT


def test_what_was_erased_says_so_and_the_rest_still_adds_up() -> None:
    own = [read(1, ev.MessageReceived("contact", "cmt", "p"), subject=""), read(2, QUEUED)]
    first, second = timeline(own, [], names={}, erased=frozenset({"cmt"}))
    assert first.sentence == "Message received from the contact. Its text was erased."
    assert second.sentence == "Reply saved, waiting to be sent."


def test_an_event_of_a_newer_version_is_shown_and_not_fatal() -> None:
    row = read(1, QUEUED)._replace(kind="from_the_future", reason="unheard_of", data="{}")
    (entry,) = timeline([row], [], names={})
    assert "newer version" in entry.sentence and entry.reason == "unheard_of"
