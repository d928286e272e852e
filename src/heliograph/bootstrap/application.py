"""One running Heliograph: every adapter named, every port filled."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from heliograph.bootstrap.identity import identify
from heliograph.bootstrap.keyring import vault_of
from heliograph.bootstrap.live import Live
from heliograph.bootstrap.outside import Outside, Ways, reach
from heliograph.bootstrap.overheard import Heard, Overheard
from heliograph.bootstrap.places import expect_same, remember
from heliograph.bootstrap.system import SystemClock, SystemRng, calm_collector
from heliograph.desks.zendesk.desk import ZendeskDesk
from heliograph.domain.ids import id_value, make_id
from heliograph.ports.desk import Desk
from heliograph.ports.provider import Provider, ProviderSpec
from heliograph.ports.runtime import Failpoint, Files, Observe
from heliograph.ports.store import Changes, Store, Unavailable
from heliograph.providers.courier import CourierHttp
from heliograph.providers.http import AiohttpHttp
from heliograph.providers.registry import PROVIDERS, configured
from heliograph.services.breaker import Breaker
from heliograph.services.channels import Channels, SharedCredential
from heliograph.services.context import Context
from heliograph.services.holds import Holds
from heliograph.services.policies import Policies
from heliograph.services.releases import Identity
from heliograph.storage.files import DiskFiles
from heliograph.storage.glance import Glance
from heliograph.storage.migrations import MigrationError as MigrationError
from heliograph.storage.postgres.glance import glance_postgres
from heliograph.storage.postgres.reading import read_postgres
from heliograph.storage.postgres.store import open_postgres
from heliograph.storage.sqlite.glance import glance_sqlite
from heliograph.storage.sqlite.reading import read_sqlite
from heliograph.storage.sqlite.role import WriterElsewhere as WriterElsewhere, expect_no_writer
from heliograph.storage.sqlite.store import SqliteStore, open_sqlite
from heliograph.storage.vault import AesVault


@dataclass(frozen=True, slots=True)
class Config:
    """What the composition root needs to know; made from the settings. `database` is a postgresql:// address, or "" for SQLite."""

    data: Path
    master_key: bytes = field(repr=False)
    #: Former master keys: what they have sealed opens too.
    old_keys: tuple[bytes, ...] = field(default=(), repr=False, kw_only=True)
    database: str = field(default="", repr=False)
    release: str = "dev"
    #: Shared credentials: name -> provider and its fields.
    shared: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    #: Version and digest of the code, and every variable that was set: together they are the release. Without them the process takes
    #: no part in releases, and `release` is what its events are stamped with.
    code: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The installation that the store must be, "" for any.
    installation: str = ""
    #: Whom to tell about incidents.
    ways: Ways = field(default_factory=Ways, repr=False)
    #: Networks (CIDR) off the public internet that providers may be at; only beside a sandbox.
    allow_networks: tuple[str, ...] = ()
    connections: int = 1000
    #: Who may read /metrics: whoever has the token; where there is none, this machine only, or with `metrics_open` everybody.
    metrics_token: str = field(default="", repr=False)
    metrics_open: bool = False
    #: Make HTTP calls in a process of their own; it pays where there is a second core to run it.
    http_process: bool = (os.cpu_count() or 1) > 1


class Closes(Protocol):
    """Something that holds connections."""

    async def close(self) -> None:
        """Give them up."""
        ...


@dataclass(slots=True)
class Application:
    """What entry points build on."""

    config: Config
    context: Context
    holds: Holds
    live: Live
    specs: Mapping[str, ProviderSpec]
    #: Which release this process is; None where it takes no part in releases.
    identity: Identity | None
    #: Told of each act of this process that was committed.
    noticing: list[Callable[[Changes], None]]
    outside: Outside
    #: What a team may keep beside ours.
    desk: Desk
    _http: Closes
    #: What keeps the store that this process writes to; "" where it writes to none, or to one that is not its own.
    engine: str = ""

    @property
    def role(self) -> SqliteStore | None:
        """The store, where one process alone writes and another can take over; None on PostgreSQL."""
        return self.context.store if isinstance(self.context.store, SqliteStore) else None

    async def close(self) -> None:
        """Stop talking to providers, then finish what the store has accepted."""
        await self._http.close()
        await self.outside.close()
        await self.context.store.close()
        if self.engine:
            with contextlib.suppress(Unavailable, OSError):
                await remember(self.config.data, await glance(self.config), now=self.context.clock.now(), closed=True)

    async def still_there(self) -> bool:
        """Note how far the store is. False where it is another one by now. Raises Unavailable."""
        seen = await glance(self.config)
        if self.engine and seen.engine != self.engine:
            return False
        if self.engine:
            await remember(self.config.data, seen, now=self.context.clock.now(), closed=False)
        return True


async def _no_failpoint(name: str) -> None:
    """Production has none."""


def _unobserved(name: str, fields: Mapping[str, str | int | float]) -> None:
    """Used where nobody asked to observe."""


def refuse_second(config: Config) -> None:
    """Raises Unavailable where the store takes one process and has one: `build` would only find out after a port was taken."""
    if not config.database:
        expect_no_writer(config.data / "heliograph.db")


async def build(config: Config, *, observe: Observe = _unobserved, failpoint: Failpoint = _no_failpoint) -> Application:
    """Open the store, migrate it, and put everything together. Raises Unavailable, MigrationError or ValueError (master key)."""
    calm_collector()
    clock, rng = SystemClock(), SystemRng()
    seen = await glance(config)
    who = _who(config, seen)
    store = await _open_store(config, clock.now(), make_id("ins", id_value(clock.now(), rng.bits())), who.release)
    application = _assemble(config, store, who, clock, rng, observe, failpoint)
    try:
        seen = seen if seen.engine else await glance(config)
        if not config.installation or seen.installation == config.installation:
            await expect_same(application.context, config.data, seen)
            application.engine = seen.engine
    except BaseException:
        await application.close()
        raise
    return application


async def look(config: Config, *, observe: Observe = _unobserved, heard: Heard | None = None) -> Application:
    """The same for commands that look and do not write: the store is opened as it is, beside whoever works on it.

    `heard` is told the headers of every provider's answer.
    Raises Unavailable, MigrationError or ValueError (master key).
    """
    who = _who(config, await glance(config))
    store: Store = (
        await read_postgres(config.database, release=who.release) if config.database else read_sqlite(config.data / "heliograph.db")
    )
    return _assemble(config, store, who, SystemClock(), SystemRng(), observe, _no_failpoint, heard)


async def glance(config: Config) -> Glance:
    """What can be told of the store before it is opened. Raises Unavailable."""
    if config.database:
        return await glance_postgres(config.database)
    return await asyncio.to_thread(glance_sqlite, config.data / "heliograph.db")


class _Who(NamedTuple):
    """What follows from the configuration, and from what the store noted of its keys."""

    vault: AesVault
    shared: dict[str, SharedCredential]
    identity: Identity | None
    #: What events are stamped with.
    release: str


def _who(config: Config, seen: Glance) -> _Who:
    vault = vault_of((config.master_key, *config.old_keys), installation=seen.installation, notes=seen.notes)
    shared = {}
    for name, given in config.shared.items():
        fields = {field: value for field, value in given.items() if field != "provider"}
        shared[name] = SharedCredential(name, given["provider"], fields, vault.fingerprint(fields))
    if not config.code:
        return _Who(vault, shared, None, config.release)
    versions = {name: credential.fingerprint for name, credential in shared.items()}
    identity = identify(config.variables, versions, code=config.code, vault=vault)
    return _Who(vault, shared, identity, identity.id)


def _assemble(
    config: Config,
    store: Store,
    who: _Who,
    clock: SystemClock,
    rng: SystemRng,
    observe: Observe,
    failpoint: Failpoint,
    heard: Heard | None = None,
) -> Application:
    client = CourierHttp if config.http_process else AiohttpHttp
    http = client(guarded=True, allow=config.allow_networks, limit=config.connections)

    def make(name: str, fields: Mapping[str, str]) -> Provider:
        return configured(name, fields, http if heard is None else Overheard(http, heard), clock)

    files: Files = DiskFiles(config.data / "files")
    breaker = Breaker()
    channels = Channels(store, make, who.vault, who.shared, url=config.ways.url)
    context = Context(store, clock, rng, channels, files, failpoint, observe, Policies(store, breaker), breaker)
    holds, live = Holds(), Live()
    desk = ZendeskDesk(http, client=config.ways.zendesk_client, loopback=bool(config.allow_networks))

    noticing: list[Callable[[Changes], None]] = [holds.noticed, live.noticed]

    def committed(changes: Changes) -> None:
        for notice in noticing:
            notice(changes)

    store.on_committed = committed
    specs = {name: cls.spec for name, cls in PROVIDERS.items()}
    return Application(config, context, holds, live, specs, who.identity, noticing, reach(config.ways, clock), desk, http)


async def _open_store(config: Config, now: int, new_id: str, release: str) -> Store:
    if config.database:
        return await open_postgres(config.database, now=now, new_id=new_id, release=release)
    return await asyncio.to_thread(open_sqlite, config.data / "heliograph.db", now=now, new_id=new_id, release=release)


def worker_name() -> str:
    """Unique among all processes that ever worked on a store."""
    return f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}"
