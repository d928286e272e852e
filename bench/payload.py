"""The replies of the benchmark: which conversation, which place in it, and the bytes on the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bench.job import Job

TEXT_LENGTH = 470  # makes a body of about 600 bytes, a typical reply of three sentences
_PROSE = (
    "Thank you for writing. We looked into your order and found that the parcel left our warehouse this morning; "
    "you will get a message from the carrier as soon as it is on its way to you. "
) * 3


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `sequence` counts from 1 within its conversation and is readable from the text."""

    conversation: str
    sequence: int
    text: str

    @property
    def key(self) -> str:
        return f"{self.conversation}-{self.sequence}"


def reply(conversation: int, sequence: int) -> Reply:
    """The text begins with "#<sequence> ": the provider judges order by it, whoever delivers."""
    return Reply(f"c{conversation:06d}", sequence, text_of(sequence))


def text_of(sequence: int) -> str:
    """The text of the reply with this number in its conversation."""
    return f"#{sequence} {_PROSE}"[:TEXT_LENGTH]


def replies(job: Job) -> Iterator[Reply]:
    """All replies of a job in the order of acceptance: round robin over the conversations."""
    for number in range(job.replies):
        yield reply(number % job.conversations, number // job.conversations + 1)


def by_conversation(job: Job) -> list[list[Reply]]:
    """The same replies, one list for each conversation, each in order."""
    lists: list[list[Reply]] = [[] for _ in range(job.conversations)]
    for number, one in enumerate(replies(job)):
        lists[number % job.conversations].append(one)
    return lists


def path_of(app: str, conversation: str) -> str:
    """Where the provider takes a message for `conversation`."""
    return f"/sc/v2/apps/{app}/conversations/{conversation}/messages"


def body_of(one: Reply) -> bytes:
    """The JSON body of the provider call."""
    return json.dumps(
        {
            "author": {"type": "business", "displayName": "Sam from support"},
            "content": {"type": "text", "text": one.text},
            "metadata": {"heliograph": one.key},
        },
        separators=(",", ":"),
    ).encode()
