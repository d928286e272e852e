"""What the watching loop of a working process does each round, in this order."""

from collections.abc import Awaitable, Callable
from functools import partial

from heliograph.bootstrap.application import Application
from heliograph.services import detection, incidents
from heliograph.services.heartbeat import Heartbeats
from heliograph.services.mail import AdminMails
from heliograph.services.notices import Notices
from heliograph.services.paging import Paging

Step = Callable[[], Awaitable[object]]


def steps(application: Application) -> list[Step]:
    """Each reads facts, writes what follows and may run in several processes at the same time. To be appended to."""
    context = application.context
    return [
        partial(detection.step, context),
        partial(incidents.reconcile, context),
        Notices(context).reconcile,
    ]


def outward(application: Application, beats: Heartbeats) -> list[Step]:
    """What speaks to people and machines outside and may wait for their answer: each needs a loop of its own."""
    context, outside = application.context, application.outside
    paging = Paging(
        context, context.channels.vault, announce=outside.rooms, targets=outside.ways.operators, alerts=outside.alerts, url=outside.ways.url
    )
    return [paging.reconcile, AdminMails(context, outside.mail, url=outside.ways.url).reconcile, beats.beat]
