"""How each channel stands: on hold or not, why, since when, and how much waits for it."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from heliograph.domain.delivery import State
from heliograph.domain.gate import SENDING
from heliograph.domain.health import Condition, Health
from heliograph.domain.reasons import Blame, Effect
from heliograph.ports import rows
from heliograph.ports.provider import ProviderSpec
from heliograph.projections.timeline import REASON_ROWS
from heliograph.services import releases
from heliograph.services.channels import version_of
from heliograph.services.context import Context


class Standing(NamedTuple):
    """One channel, joined with its credential's health and what waits on it. Times in microseconds."""

    channel: rows.Channel
    title: str
    condition: Condition
    reason: str
    code: str
    since: int
    sentence: str
    remedy: str
    #: Whether somebody on our side must act; otherwise it ends by itself.
    admin: bool
    #: Whether it may be over before anybody has read about it.
    passing: bool
    identity: str
    waiting: int
    asking: int
    oldest_at: int

    @property
    def well(self) -> bool:
        """Whether replies flow."""
        return self.condition is Condition.WELL


def standing_of(
    channel: rows.Channel, title: str, credential: rows.Credential | None, healths: Iterable[Health], waiting: Iterable[rows.Waiting],
    sending: Collection[str] = (),
) -> Standing:  # fmt: skip
    """Join the rows. A held subject counts more than one in trial; of two equal ones the credential's is told.

    `sending`: versions of shared credentials that releases send with, which may not be the ones that this process holds.
    """
    versions = _versions(credential, sending)
    own = [h for h in healths if (h.kind, h.subject) == ("channel", channel.id) or (h.kind == "credential" and h.subject in versions)]
    unwell = {h.subject for h in own if h.kind == "credential" and h.condition is not Condition.WELL}
    if unwell and unwell < versions:
        # A release with a version that is well sends on.
        own = [h for h in own if h.subject not in unwell]
    own.sort(key=lambda h: (h.condition is not Condition.HELD, h.condition is Condition.WELL, h.kind != "credential"))
    worst = own[0] if own else None
    known = REASON_ROWS.get(worst.reason) if worst is not None else None
    waits = [w for w in waiting if w.channel == channel.id and w.state != State.ASKING]
    asks = [w.number for w in waiting if w.channel == channel.id and w.state == State.ASKING]
    return Standing(
        channel, title, worst.condition if worst else Condition.WELL, worst.reason if worst else "", worst.code if worst else "",
        worst.held_since if worst else 0, known.sentence if known else "", known.remedy if known else "",
        known is not None and known.blame is Blame.ADMIN, known is not None and known.effect in (Effect.WAIT, Effect.SPEND),
        credential.identity if credential else "", sum(w.number for w in waits), sum(asks), min((w.oldest_at for w in waits), default=0),
    )  # fmt: skip


def _versions(credential: rows.Credential | None, sending: Collection[str]) -> set[str]:
    """The versions that matter: of a shared credential those that are sent with, where that is known."""
    if credential is None:
        return set()
    shared = {version for version in sending if version.partition("@")[0] == credential.shared} if credential.shared else set()
    return shared or {version_of(credential)}


async def standings(context: Context, specs: Mapping[str, ProviderSpec], account: str) -> dict[str, Standing]:
    """Every channel of the account by its id, in order of creation."""
    store = context.store
    healths = [health for holder in ("", account) for health in await store.healths(holder)]
    waiting = await store.waiting_of(account)
    known = [kept for kept in await releases.releases(store) if kept.row.stage in SENDING]
    sending = {f"{name}@{fingerprint}" for kept in known for name, fingerprint in kept.credentials.items()}
    found = {}
    for channel in sorted(await store.channels(account), key=lambda c: c.created_at):
        credential = await context.channels.credential(account, channel.credential)
        title = specs[channel.provider].title if channel.provider in specs else channel.provider
        found[channel.id] = standing_of(channel, title, credential, healths, waiting, sending)
    return found
