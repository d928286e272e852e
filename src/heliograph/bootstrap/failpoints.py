"""Named points where a process can be made to die, so that tests can show that nothing is lost there."""

import os
import signal
from collections.abc import Mapping

from heliograph.ports.runtime import Failpoint

#: Every point that the services name, and what has happened there.
NAMES: dict[str, str] = {
    "reply:before_commit": "an agent's reply is not saved yet",
    "reply:after_commit": "it is saved, and nobody was told",
    "deliver:after_claim": "an attempt is recorded as started",
    "deliver:before_call": "the provider is about to be called",
    "deliver:after_call": "the provider has answered, and the answer is only in memory",
    "deliver:before_record": "the answer is about to be written down",
    "deliver:after_record": "the answer is written down",
    "settle:before_commit": "a look-up was answered, and the answer is only in memory",
    "settle:after_commit": "the look-up's answer is written down",
    "probe:before_commit": "a probe was answered, and the answer is only in memory",
    "expire:before_commit": "an interrupted attempt was found and not written down",
    "ingest:before_commit": "a webhook has arrived and is not saved",
    "ingest:after_commit": "it is saved, and the provider was not told",
    "desk_reply:after_commit": "a reply that waits for its files is saved, and the desk beside ours was not told",
    "desk_mirror:pushed": "a desk beside ours has something new, and that is only in memory",
    "desk_mirror:before_commit": "it is about to be written down how far that desk has come",
}
VARIABLE, ALLOWED = "HELIOGRAPH_FAILPOINT", "HELIOGRAPH_TESTING"


class BadFailpoint(ValueError):
    """The variable names no failpoint."""


async def _never(name: str) -> None:
    """Production has none."""


def failpoint(environ: Mapping[str, str]) -> Failpoint:
    """What `HELIOGRAPH_FAILPOINT=name[:n]` asks for: die without a word (SIGKILL) at the n-th time the point is passed.

    Only where `HELIOGRAPH_TESTING=1`. Raises BadFailpoint.
    """
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return _never
    if environ.get(ALLOWED) != "1":
        raise BadFailpoint(f"{VARIABLE} kills this process on purpose and is obeyed only where {ALLOWED}=1.")
    name, _, number = wanted.rpartition(":") if wanted.rpartition(":")[2].isdigit() else (wanted, "", "1")
    if name not in NAMES:
        raise BadFailpoint(f"{VARIABLE} names no failpoint. There are: {', '.join(NAMES)}.")
    return _Killer(name, int(number))


class _Killer:
    def __init__(self, name: str, left: int) -> None:
        self._name = name
        self._left = left

    async def __call__(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
