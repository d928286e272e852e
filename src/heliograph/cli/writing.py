"""Carries an operation to the writer of the store: the process that runs, or this one."""

import asyncio

import msgspec

from heliograph.bootstrap.application import Config, MigrationError, build
from heliograph.bootstrap.control import NobodyThere, ask
from heliograph.bootstrap.operations import Answer, NotDone, operate
from heliograph.cli.options import Fault, Place, config_of, quiet, settings_of
from heliograph.ports.store import Unavailable


def carry_out(place: Place, wanted: msgspec.Struct, *, create: bool = False) -> Answer:
    """Do it and return what came of it. With `create`, a new folder is made into an installation. Raises Fault."""
    quiet()
    settings = settings_of(place)
    try:
        return asyncio.run(_carry_out(config_of(settings, create_key=create), wanted))
    except NotDone as refused:
        raise Fault(str(refused)) from refused
    except Unavailable as broken:
        raise Fault(f"The store cannot write now: {broken}") from broken
    except MigrationError as old:
        raise Fault(str(old)) from old


async def _carry_out(config: Config, wanted: msgspec.Struct) -> Answer:
    if not config.database:
        try:
            return await ask(config.data, wanted)
        except NobodyThere:
            # Nobody works on this store, so this process may, for a moment.
            pass
    application = await build(config)
    try:
        return await operate(application, wanted)
    finally:
        await application.close()
