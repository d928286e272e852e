"""Remembers with which webhook secret calls were verified last, so that a release with another one is told from forgery."""

from collections.abc import Mapping

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.provider import BadSignature, RawRequest
from heliograph.ports.store import Changes
from heliograph.services.channels import Connected
from heliograph.services.context import Context

#: Documents: of a shared credential by its name (account ""), of a channel with secrets of its own by the channel's id.
VERIFIED = "verified"
#: The field that holds the secret; two, separated by a space, while one replaces the other.
FIELD = "webhook_secret"
#: A secret is noted again after an hour, and one that takes turns with another no more often than each minute.
STALE, SHORTEST = 3600 * SECOND, 60 * SECOND


class Verified(msgspec.Struct):
    """A webhook call was verified: with which secret (keyed fingerprint), and when."""

    fingerprint: str
    at: int


def each_secret(fields: Mapping[str, str]) -> list[str]:
    """The secrets that a call may carry."""
    return fields.get(FIELD, "").replace(",", " ").split()


def subject(connected: Connected) -> tuple[str, str]:
    """Account and id of the document about this channel's secret."""
    if connected.credential.shared:
        return "", connected.credential.shared
    return connected.channel.account, connected.channel.id


class Remembering:
    """What this process has noted lately; one per process."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], Verified] = {}

    async def verified(self, context: Context, connected: Connected, request: RawRequest) -> None:
        """A call was verified: note with which secret, seldom. Raises Unavailable."""
        now, about = context.clock.now(), subject(connected)
        last = self._noted.get(about)
        if last is not None and now - last.at < SHORTEST:
            return
        carried = _carried(context, connected, request)
        if not carried or (last is not None and last.fingerprint == carried and now - last.at < STALE):
            return
        noted = Verified(carried, now)
        document = rows.Document(about[0], VERIFIED, about[1], 0, now, msgspec.json.encode(noted).decode())
        await context.store.commit(Changes(about[0], now, puts=[document]))
        self._noted[about] = noted


def _carried(context: Context, connected: Connected, request: RawRequest) -> str:
    """The fingerprint of the secret that this call carries, "" where there is none to be told."""
    secrets = each_secret(context.channels.secrets(connected.credential))
    for secret in secrets:
        if len(secrets) == 1 or _verifies(context, connected, request, secret):
            return context.channels.vault.fingerprint({FIELD: secret})
    return ""


def _verifies(context: Context, connected: Connected, request: RawRequest, secret: str) -> bool:
    try:
        context.channels.with_field(connected, FIELD, secret).verify(request)
    except BadSignature:
        return False
    return True
