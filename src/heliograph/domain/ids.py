"""Identifiers: opaque, time-ordered, readable by their prefix."""

from typing import NewType

AccountId = NewType("AccountId", str)
TicketId = NewType("TicketId", str)
CommentId = NewType("CommentId", str)
DeliveryId = NewType("DeliveryId", str)
ChannelId = NewType("ChannelId", str)
ConversationId = NewType("ConversationId", str)
ContactId = NewType("ContactId", str)
AgentId = NewType("AgentId", str)
CredentialId = NewType("CredentialId", str)

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def id_value(now: int, entropy: int) -> int:
    """`now` (microseconds) keeps new rows together in the indexes, 40 bits of `entropy` keep them apart."""
    return ((now // 1000) << 40) | (entropy & 0xFF_FFFF_FFFF)


def make_id(prefix: str, value: int) -> str:
    """An id such as `dlv_01h9…` whose order is that of `value`."""
    digits = []
    for _ in range(18):
        digits.append(ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}_{''.join(reversed(digits))}"
