"""Tells chat rooms and social feeds each update once."""

from collections.abc import Callable

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports.announce import NotTold
from heliograph.ports.store import Changes, Conflict
from heliograph.projections.public import letters
from heliograph.projections.public.board import Board, Case, Update
from heliograph.services.context import Context, retrying
from heliograph.services.outlets import Outlets
from heliograph.services.status_page import Page, page_of, put

#: What is older is news to nobody.
FRESH = 24 * 3600 * SECOND
FIRST_DELAY = 15 * SECOND
LAST_DELAY = 1800 * SECOND


async def shout(context: Context, outlets: Outlets, board: Board) -> int:
    """Tell every target what it has not been told; returns how many messages went out. Safe in several processes at once.

    It is written down before it is said: a feed that everybody reads should rather miss an update, after a crash at that very
    moment, than repeat it. Where the target certainly did not take it, it is tried again.
    """
    if outlets.announce is None or not outlets.targets:
        return 0
    targets = {outlets.vault.fingerprint({"target": target}): target for target in outlets.targets}
    sent = 0
    for case in reversed(board.cases):
        for update in reversed(case.updates):
            if board.at - update.at <= FRESH:
                for print_, target in targets.items():
                    sent += await _shout_one(context, outlets, board, case, update, print_, target)
    return sent


async def _shout_one(context: Context, outlets: Outlets, board: Board, case: Case, update: Update, name: str, target: str) -> int:
    assert outlets.announce is not None
    if not await _claimed(context, case.incident.id, update.id, name):
        return 0
    said = letters.shout(board, case, update, "en")
    try:
        await outlets.announce.announce([target], said.subject, said.text)
    except NotTold as refused:
        context.observe("target_not_told", {"final": int(refused.final)})
        if not refused.final:
            await _later(context, case.incident.id, update.id, name)
        return 0
    await _well(context, case.incident.id, name)
    return 1


async def _claimed(context: Context, incident: str, update: str, name: str) -> bool:
    kept = await page_of(context.store, incident)
    page, now = kept.page, context.clock.now()
    if name in page.announced.get(update, []) or page.waits.get(name, (0, 0))[1] > now:
        return False
    changes = Changes("", now)
    put(changes, kept, msgspec.structs.replace(page, announced={**page.announced, update: [*page.announced.get(update, []), name]}))
    try:
        await context.store.commit(changes)
    except Conflict:
        return False
    return True


async def _later(context: Context, incident: str, update: str, name: str) -> None:
    def fail(page: Page) -> Page:
        failures = page.waits.get(name, (0, 0))[0] + 1
        at = context.clock.now() + min(FIRST_DELAY << min(failures - 1, 16), LAST_DELAY)
        left = [one for one in page.announced.get(update, []) if one != name]
        return msgspec.structs.replace(page, waits={**page.waits, name: (failures, at)}, announced={**page.announced, update: left})

    await _change(context, incident, fail)


async def _well(context: Context, incident: str, name: str) -> None:
    page = (await page_of(context.store, incident)).page
    if name in page.waits:
        await _change(
            context, incident, lambda page: msgspec.structs.replace(page, waits={k: v for k, v in page.waits.items() if k != name})
        )


async def _change(context: Context, incident: str, change: Callable[[Page], Page]) -> None:
    async def act() -> None:
        kept = await page_of(context.store, incident)
        changes = Changes("", context.clock.now())
        put(changes, kept, change(kept.page))
        await context.store.commit(changes)

    await retrying(act)
