"""A second release in the process of the first, on its SQLite store: for a demonstration of what two processes do on PostgreSQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from heliograph.bootstrap.application import Application
from heliograph.bootstrap.identity import identify
from heliograph.bootstrap.shared import PREFIX
from heliograph.ports.provider import Provider
from heliograph.ports.store import Changes
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import configured
from heliograph.services.breaker import Breaker
from heliograph.services.channels import Channels, SharedCredential
from heliograph.services.context import Context
from heliograph.services.holds import Holds
from heliograph.services.policies import Policies
from heliograph.services.releases import Identity
from heliograph.storage.sqlite.beside import beside
from heliograph.storage.sqlite.store import SqliteStore


@dataclass(slots=True)
class Second:
    """What a worker and a gatekeeper of the second release are built on. `noticing`: told of its own acts."""

    identity: Identity
    context: Context
    holds: Holds
    noticing: list[Callable[[Changes], None]]
    _http: AiohttpHttp = field(repr=False)

    async def close(self) -> None:
        """Hang up; the store is the first one's."""
        await self._http.close()


def second_release(first: Application, changed: Mapping[str, str]) -> Second:
    """The same code as `first` with some variables of shared credentials changed.

    It has its own settings, its own connections and its own memory of holds; store, clock and files are the first one's. Raises
    ValueError where `first` takes no part in releases or is not on SQLite.
    """
    running, store = first.context, first.context.store
    if first.identity is None or not isinstance(store, SqliteStore):
        raise ValueError("a second release needs a first one, on SQLite")
    given, fields = {**first.config.variables, **changed}, {name: dict(values) for name, values in first.config.shared.items()}
    for variable, value in changed.items():
        name, _, field_name = variable.removeprefix(PREFIX).lower().partition("__")
        fields[name][field_name] = value
    vault = running.channels.vault
    shared = {}
    for name, values in fields.items():
        provider = values.pop("provider")
        shared[name] = SharedCredential(name, provider, values, vault.fingerprint(values))
    versions = {name: each.fingerprint for name, each in shared.items()}
    identity = identify(given, versions, code=first.config.code, vault=vault)
    http = AiohttpHttp(guarded=True, allow=first.config.allow_networks, limit=first.config.connections)

    def make(name: str, config: Mapping[str, str]) -> Provider:
        return configured(name, config, http, running.clock)

    second = beside(store, identity.id)
    breaker, holds = Breaker(), Holds()
    channels = Channels(second, make, vault, shared, url=first.config.ways.url)
    context = Context(
        second, running.clock, running.rng, channels, running.files, running.failpoint, running.observe, Policies(second, breaker), breaker
    )
    noticing: list[Callable[[Changes], None]] = [holds.noticed]

    def committed(changes: Changes) -> None:
        for notice in noticing:
            notice(changes)
        # The first one's pages and watches look at the same store.
        if store.on_committed is not None:
            store.on_committed(changes)

    second.on_committed = committed
    return Second(identity, context, holds, noticing, http)
