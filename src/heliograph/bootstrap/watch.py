"""What the watching loop of a working process does each round, in this order."""

import os
from collections.abc import Awaitable, Callable
from functools import partial

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.publicity import outlets
from heliograph.bootstrap.watchdog import STALLED
from heliograph.domain.retry import SECOND
from heliograph.services import detection, incidents, statements, status_page
from heliograph.services.balance import Balance
from heliograph.services.heartbeat import Heartbeats
from heliograph.services.inbound_files import FILES
from heliograph.services.mail import AdminMails
from heliograph.services.names import NAMES
from heliograph.services.notices import Notices
from heliograph.services.outreach import Outreach
from heliograph.services.paging import Paging
from heliograph.services.promises import Stories
from heliograph.services.quarantine import Quarantine
from heliograph.services.watched import Memory

Step = Callable[[], Awaitable[object]]


def stories(application: Application) -> Stories:
    """Post-mortems and their promises."""
    outside = application.outside
    return Stories(application.context, announce=outside.rooms, targets=outside.ways.operators, url=outside.ways.url)


class Staying:
    """Notes now and then how far the store is, outside of it, and ends the process where the store is another one by now."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._noted_at = 0

    async def step(self) -> None:
        """On PostgreSQL a look is a connection of its own, so there it is rarer."""
        application, now = self._application, self._application.context.clock.now()
        if now - self._noted_at < (10 if application.config.database else 2) * SECOND:
            return
        self._noted_at = now
        if not await application.still_there():
            # What waits must be doubted before anything is claimed; that is how a start begins.
            application.context.observe("store_moved", {"why": "elsewhere", "doubted": 0})
            os._exit(STALLED)


def steps(application: Application, told: Stories | None = None) -> list[Step]:
    """Each reads facts, writes what follows and may run in several processes at the same time. To be appended to."""
    context = application.context
    return [
        partial(detection.step, context),
        partial(incidents.reconcile, context),
        Notices(context).reconcile,
        partial(Quarantine().step, context),
        Staying(application).step,
        partial(status_page.reconcile, context, Memory()),
        (told or stories(application)).reconcile,
        partial(statements.reconcile, context),
    ]


def outward(application: Application, beats: Heartbeats, told: Stories) -> list[Step]:
    """What speaks to people and machines outside and may wait for their answer: each needs a loop of its own."""
    context, outside = application.context, application.outside
    paging = Paging(
        context, context.channels.vault, announce=outside.rooms, targets=outside.ways.operators, alerts=outside.alerts, url=outside.ways.url
    )
    balance = Balance(context, context.channels.vault, announce=outside.rooms, targets=outside.ways.operators, alerts=outside.alerts)
    mails = AdminMails(context, outside.mail, url=outside.ways.url)
    return [
        paging.reconcile, balance.reconcile, mails.reconcile, beats.beat, Outreach(context, outlets(application)).reconcile, told.alarm,
        partial(FILES.step, context), partial(NAMES.step, context),
    ]  # fmt: skip
