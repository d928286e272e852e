"""Configured providers: from a channel's row and its sealed secrets to something that can send."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import Provider, ProviderSpec
from heliograph.ports.runtime import SealBroken, Vault
from heliograph.ports.store import Store
from heliograph.services.addresses import Addresses
from heliograph.services.sealed import Sealed, blanks

#: Builds a provider by name from its configuration. Raises KeyError for a name that nobody knows.
Build = Callable[[str, Mapping[str, str]], Provider]


class SharedCredential(NamedTuple):
    """A credential of the installation, from this process's own environment: the fields of a provider that all its channels share."""

    name: str
    provider: str
    fields: Mapping[str, str]
    #: Keyed, as Vault.fingerprint makes it.
    fingerprint: str

    def __repr__(self) -> str:
        return f"SharedCredential({self.name})"


class Connected(NamedTuple):
    """A channel, ready to use, with the version of the credential that it uses."""

    channel: rows.Channel
    provider: Any
    spec: ProviderSpec
    credential: rows.Credential
    #: Microseconds before absence in a look-up is proof.
    settle: int

    @property
    def version(self) -> str:
        """The credential version, see version_of."""
        return version_of(self.credential)

    @property
    def holder(self) -> str:
        """The account whose credential it is; "" is the installation."""
        return "" if self.credential.shared else self.channel.account


def version_of(credential: rows.Credential) -> str:
    """The subject of a credential version's health: `credential@fingerprint`. A shared one is known by its name."""
    return f"{credential.shared or credential.id}@{credential.fingerprint}"


def place(account: str, credential: str) -> str:
    """What a sealed credential is bound to."""
    return f"{account}|credential|{credential}"


def seconds(value: str) -> float | None:
    """A setting that is a length of time, or None where it is none or beyond a day."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= 86_400 else None


def _settle(config: Mapping[str, Any], spec: ProviderSpec) -> float:
    # Every loop that works for all accounts reads this: what one account has set must not end a round of the others.
    given = seconds(str(config.get("settle_seconds", "")))
    return spec.settle if given is None else given


class Channels:
    """Builds each channel's provider once per credential version."""

    def __init__(
        self, store: Store, build: Build, vault: Vault, shared: Mapping[str, SharedCredential] | None = None, *, url: str = ""
    ) -> None:
        self._store = store
        self._build = build
        self.addresses = Addresses(url, vault.prints)
        self.vault = vault
        #: By name: what this process's environment holds.
        self.shared = shared or {}
        self._known: dict[tuple[str, str], Connected] = {}

    async def get(self, account: str, channel: str, *, fingerprint: str = "") -> Connected | None:
        """The channel as configured now, or None. With `fingerprint`, a known one of that version is good enough.

        Where the master key is not the one that sealed the secrets, the provider is one that refuses (services.sealed).
        """
        known = self._known.get((account, channel))
        if known is not None and fingerprint and known.credential.fingerprint == fingerprint:
            return known
        row = await self._store.channel(account, channel)
        if row is None:
            return None
        credential = await self.credential(account, row.credential)
        if credential is None:
            return None
        if known is not None and known.channel == row and known.credential == credential:
            return known
        config = self._config(row)
        provider: Provider | Sealed
        try:
            provider = self._build(row.provider, config | self.secrets(credential))
        except SealBroken:
            provider = Sealed(self._build(row.provider, blanks(config)))
        connected = Connected(row, provider, provider.spec, credential, int(_settle(config, provider.spec) * SECOND))
        self._known[(account, channel)] = connected
        return connected

    async def credential(self, account: str, id: str) -> rows.Credential | None:
        """A credential's row; the fingerprint of a shared one is that of the version which this process holds, "" where it holds none."""
        row = await self._store.credential(account, id)
        if row is None or not row.shared:
            return row
        shared = self.shared.get(row.shared)
        return row._replace(fingerprint=shared.fingerprint if shared is not None else "")

    def secrets(self, credential: rows.Credential) -> dict[str, str]:
        """The fields that the credential brings. Raises SealBroken, also where the environment holds no such shared credential."""
        if not credential.shared:
            return self.vault.open(credential.sealed, place=place(credential.account, credential.id))
        shared = self.shared.get(credential.shared)
        if shared is None or shared.provider != credential.provider:
            raise SealBroken(credential.shared)
        return dict(shared.fields)

    def _config(self, row: rows.Channel) -> dict[str, str]:
        config: dict[str, str] = msgspec.json.decode(row.config)
        return config | {"webhook_url": self.addresses.webhook(row.provider, row.id)}

    def with_field(self, connected: Connected, name: str, value: str) -> Provider:
        """The channel's provider as it would be with another value of one field. Raises SealBroken."""
        config = self._config(connected.channel)
        return self._build(connected.channel.provider, config | self.secrets(connected.credential) | {name: value})

    async def known(self, account: str, channel: str) -> Connected | None:
        """The channel as it was when last looked at: enough to render with, and no question to the store."""
        return self._known.get((account, channel)) or await self.get(account, channel)

    def forget(self, account: str, channel: str) -> None:
        """Configuration changed: build it anew next time."""
        self._known.pop((account, channel), None)
