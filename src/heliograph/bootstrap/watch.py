"""What the watching loop of a working process does each round, in this order."""

from collections.abc import Awaitable, Callable
from functools import partial

from heliograph.bootstrap.application import Application
from heliograph.services import detection

Step = Callable[[], Awaitable[object]]


def steps(application: Application) -> list[Step]:
    """Each reads facts, writes what follows and may run in several processes at the same time. To be appended to."""
    context = application.context
    return [
        partial(detection.step, context),
    ]
