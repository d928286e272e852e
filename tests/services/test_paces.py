"""Whose pace a refusal teaches, and when a loop that waits for one is woken."""

import pytest

from heliograph.domain import pacing
from heliograph.domain.outcomes import Accepted, Deferred
from heliograph.domain.reasons import Reason
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import ProviderSpec
from heliograph.providers.registry import PROVIDERS
from heliograph.services.bulkheads import Call
from heliograph.services.channels import Connected
from heliograph.services.pacing import Paces
from heliograph.services.traffic import Traffic

NOW = 1_800_000_000 * SECOND


def connected(channel: str, *, credential: str, account: str = "acc_a", provider: str = "sunshine") -> Connected:
    spec: ProviderSpec = PROVIDERS[provider].spec
    row = rows.Channel(account, channel, provider, channel, "{}", credential, 1, 0, NOW, NOW)
    return Connected(row, None, spec, rows.Credential(account, credential, provider, "", "f1", "", NOW), 0)


def left(traffic: Traffic, channel: Connected) -> int:
    """How many calls of a channel may start."""
    _, room = traffic.room(NOW)
    return min(room.left(bulkhead) for bulkhead in room.bulkheads[channel.channel.account, channel.channel.id])


def refused(traffic: Traffic, channel: Connected) -> None:
    call = Call((), NOW)
    traffic.know(channel, call, NOW)
    traffic.answered(call, channel, "lane", Accepted("1"), NOW)
    traffic.answered(call, channel, "lane", Deferred(Reason.RATE_LIMITED, 5.0), NOW)


def known(traffic: Traffic, channel: Connected) -> Connected:
    traffic.know(channel, Call((), NOW), NOW)
    return channel


@pytest.mark.parametrize(
    ("provider", "credential", "account", "waits"),
    [
        ("sunshine", "crd_1", "acc_a", True),
        ("sunshine", "crd_2", "acc_a", False),
        ("sunshine", "crd_1", "acc_b", False),
        ("messenger", "crd_1", "acc_a", False),
    ],
    ids=["the same key", "another key", "another account", "where channels have a limit of their own"],
)
def test_where_nothing_is_published_all_channels_of_a_key_share_what_one_has_learnt(
    provider: str, credential: str, account: str, waits: bool
) -> None:
    traffic = Traffic(20)
    one = connected("chn_1", credential="crd_1", provider=provider)
    other = known(traffic, connected("chn_2", credential=credential, account=account, provider=provider))
    assert left(traffic, known(traffic, one)) and left(traffic, other)
    refused(traffic, one)
    assert not left(traffic, one)
    assert (left(traffic, other) == 0) is waits


def test_a_loop_that_found_nothing_is_woken_although_something_has_come_meanwhile() -> None:
    paces, pace = Paces(), pacing.measured(10, NOW)
    assert not paces.available(pace, NOW)
    later = NOW + SECOND
    assert pace.available(later) and paces.next_at(later) == later, "the moment passed between the claim and the sleep"
    paces.look()
    assert paces.available(pace, later) and paces.next_at(later) is None
