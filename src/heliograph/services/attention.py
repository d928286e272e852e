"""Whether something was just written down that the watching loop should look at before its next round."""

import asyncio
from typing import Any

from heliograph.domain import events as ev
from heliograph.domain.detectors.signal import FAILURES
from heliograph.ports.store import Changes

#: Noteworthy if the reason counts against the way to the provider.
FAILED = (ev.AttemptRefused, ev.AttemptDeferred, ev.AttemptUnknown, ev.ReceiptReturned)
#: Noteworthy whatever the reason.
STOPPED = (ev.HoldStarted, ev.HoldProlonged, ev.HoldEnded)


class Attention:
    """One per process. `wanted` is set when an act of this process calls for a look; whoever looks clears it."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()

    def noticed(self, changes: Changes) -> None:
        """An act was committed. Called for every act, so it is short."""
        if self.wanted.is_set():
            return
        for fold in changes.folds:
            for event in fold.events:
                if noteworthy(event):
                    self.wanted.set()
                    return
        if any(loose.stream in ("release", "incident") for loose in changes.loose):
            self.wanted.set()


def noteworthy(event: Any) -> bool:
    """Whether an event is a non-success that counts, or one of a hold."""
    return (isinstance(event, FAILED) and event.reason in FAILURES) or isinstance(event, STOPPED)
