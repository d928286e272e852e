"""Opens an installation to look at it, beside whatever works on it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from heliograph.bootstrap.application import Application, Config, MigrationError, look
from heliograph.cli.options import Fault, Place, again, config_of, quiet, settings_of
from heliograph.ports.store import Unavailable

T = TypeVar("T")


def looking(place: Place, question: Callable[[Application], Awaitable[T]], *, account: str = "") -> T:
    """Ask something of the installation as it is. Raises Fault, also where the account that it is about does not exist."""

    async def asked(application: Application) -> T:
        if account and await application.context.store.account(account) is None:
            raise Fault(f"There is no such account. See: heliograph account list{again(place)}")
        return await question(application)

    quiet()
    try:
        return asyncio.run(_ask(config_of(settings_of(place)), asked))
    except (Unavailable, MigrationError) as broken:
        raise Fault(f"The store cannot be read: {broken}.") from broken


async def _ask(config: Config, question: Callable[[Application], Awaitable[T]]) -> T:
    application = await look(config)
    try:
        return await question(application)
    finally:
        await application.close()
