"""What an operator may do about releases from the command line."""

import msgspec

from heliograph.bootstrap.application import Application
from heliograph.services import releases
from heliograph.services.context import Invalid, Missing

ACTOR = "operator"


class ForceRelease(msgspec.Struct, forbid_unknown_fields=True):
    """Break glass: let a release send although it was not proved, on `share` of 100 conversations."""

    release: str
    reason: str
    share: int = 100


class RollBack(msgspec.Struct, forbid_unknown_fields=True):
    """Go back to the release that sent before."""


async def force(application: Application, wanted: ForceRelease) -> dict[str, object]:
    """Raises Invalid or Missing."""
    if not wanted.reason.strip():
        raise Invalid("Say why with --reason: it is kept, and shown with the release.")
    if not 1 <= wanted.share <= 100:
        raise Invalid("A share is a whole number from 1 to 100.")
    if wanted.share < 100 and not application.config.database:
        raise Invalid("On SQLite one process sends, so a release has all conversations or none.")
    kept, _ = await releases.read(application.context.store, wanted.release)
    if kept is None:
        raise Missing("release")
    row = await releases.force(application.context, wanted.release, reason=wanted.reason, actor=ACTOR, percent=wanted.share)
    return {"release": row.id, "stage": str(row.stage), "share": wanted.share}


async def roll_back(application: Application, wanted: RollBack) -> dict[str, object]:
    """Raises Invalid."""
    fenced, back = await releases.roll_back(application.context, actor=ACTOR)
    return {"fenced": fenced, "release": back.row.id}
