"""Links: which channel is mirrored to which desk, what proves a call of the desk, and how the desk lets us in."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from heliograph.domain import desk_events as de
from heliograph.domain.events import Event
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.desk import Door, Visit
from heliograph.ports.runtime import Rng, SealBroken
from heliograph.ports.store import Changes, Loose, Store
from heliograph.services import desk_cursor
from heliograph.services.channels import place
from heliograph.services.context import Context, Missing, retrying

KIND = "desk_link"
APP = "hgz_"
#: How long the secret from before the last connecting is still good once the desk shows the new one: calls that were under way carry it.
#: Microseconds.
OVERLAP = 3_600 * SECOND
#: So many are remembered.
FORMERS = 8
ACTIVE, OFF, REMOVED = "active", "off", "removed"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a link; its document's id is the channel's. Secrets are kept as digests only, the token sealed in `credential`."""

    desk: str
    name: str
    subdomain: str
    base: str
    instance: str
    #: BCP 47, in which we speak to the desk's agents.
    locale: str
    #: Whose the replies are that come from there: an agent of ours.
    agent: str
    credential: str
    #: Whether the desk lets us in at all. Where not, it asks for what is new.
    pushed: bool = True
    #: Of the secret, and of those before, one of which the desk may have.
    digest: str
    formers: tuple[str, ...] = ()
    #: Since when the desk shows the secret, 0 for not yet: an admin who does not come back to it leaves it with a former one.
    shown_at: int = 0
    #: Of the app's token, "" while there is none.
    app: str = ""
    #: ACTIVE, OFF or REMOVED, as the desk has told us; `by` is its word for why.
    standing: str = ACTIVE
    by: str = ""
    #: Since when the desk does not let us in, 0 while it does; with its code.
    stopped_at: int = 0
    code: str = ""
    linked_at: int = 0


class Linked(NamedTuple):
    """A link with its place and the version of its row."""

    account: str
    channel: str
    link: Link
    version: int


def service_key(context: Context) -> str:
    """The secret part of the address that desks call: this installation's, the same for all its accounts."""
    mac = hmac.new(context.channels.vault.prints, b"desk service key", hashlib.sha256).digest()
    return urlsafe_b64encode(mac[:24]).decode("ascii")


def digest(secret: str) -> str:
    """How a secret of ours is kept: it has 160 random bits, so a slow hash would protect nothing more."""
    return hashlib.sha256(b"desk:" + secret.encode()).hexdigest()


def _secret(rng: Rng) -> str:
    return "".join(f"{rng.bits():010x}" for _ in range(4))


async def find(store: Store, account: str, channel: str) -> Linked | None:
    """The link of a channel, if it has one."""
    document = await store.document(account, KIND, channel)
    return None if document is None else _linked(document)


async def all_links(store: Store) -> list[Linked]:
    """Of all accounts."""
    return [_linked(document) for document in await store.documents_of_all(KIND)]


async def of_account(store: Store, account: str) -> list[Linked]:
    """Of one account."""
    return [_linked(document) for document in await store.documents(account, KIND)]


async def prove(context: Context, link: str, secret: str) -> Linked:
    """The link that a call names, if the call proves itself; it may have been removed. Raises Missing, Unavailable or Conflict.

    Missing says no more than that: that there is a link is nobody else's business.
    """
    linked = await _by_id(context.store, link)
    if linked is None:
        raise Missing("link")
    if _shows(linked.link, secret):
        return linked if linked.link.shown_at else await _first_shown(context, linked)
    good = not linked.link.shown_at or context.clock.now() < linked.link.shown_at + OVERLAP
    if not (good and any(hmac.compare_digest(digest(secret), each) for each in linked.link.formers)):
        raise Missing("link")
    return linked


async def prove_latest(context: Context, link: str, secret: str) -> Linked | None:
    """The link that a happening is about, None for none that stands: what is told of a connection from before is not about this one."""
    linked = await _by_id(context.store, link)
    return linked if linked is not None and linked.link.standing != REMOVED and _shows(linked.link, secret) else None


def _shows(link: Link, secret: str) -> bool:
    return hmac.compare_digest(digest(secret), link.digest)


async def _first_shown(context: Context, linked: Linked) -> Linked:
    now = context.clock.now()
    await change(
        context, linked.account, linked.channel,
        lambda link: (msgspec.structs.replace(link, shown_at=link.shown_at or now) if link.digest == linked.link.digest else link, None),
    )  # fmt: skip
    found = await find(context.store, linked.account, linked.channel)
    if found is None:
        raise Missing("link")
    return found


async def prove_app(context: Context, text: str) -> Linked:
    """The link whose app brings this token. Raises Missing."""
    channel, _, secret = text.removeprefix(APP).rpartition("_")
    linked = await _by_id(context.store, channel) if text.startswith(APP) and secret and len(text) < 200 else None
    if linked is None or not linked.link.app or not hmac.compare_digest(digest(secret), linked.link.app):
        raise Missing("app")
    return linked


async def _by_id(store: Store, link: str) -> Linked | None:
    channel = await store.channel_by_id(link) if link else None
    return None if channel is None else await find(store, channel.account, channel.id)


async def open_door(context: Context, linked: Linked) -> Door | None:
    """How the desk is called; None where the token does not open: with another master key it is not readable now."""
    credential = await context.store.credential(linked.account, linked.link.credential)
    if credential is None:
        return None
    try:
        plain = context.channels.vault.open(credential.sealed, place=place(linked.account, credential.id))
    except SealBroken:
        return None
    return Door(linked.link.base, linked.link.instance, plain["token"])


async def connect(context: Context, account: str, channel: str, visit: Visit, *, desk: str, name: str, actor: str) -> str:
    """Link a channel with the desk that an admin came from, or link it anew. Returns the secret, which is kept nowhere. Raises Missing."""
    secret = _secret(context.rng)

    async def act() -> None:
        store, now = context.store, context.clock.now()
        if await store.channel(account, channel) is None:
            raise Missing("channel")
        before = await find(store, account, channel)
        agent = before.link.agent if before else context.new_id("agt")
        credential = before.link.credential if before else context.new_id("crd")
        changes = Changes(account, now, actor)
        changes.puts += [
            rows.Agent(account, agent, f"{name} ({visit.subdomain})", "agent", now),
            _credential(context, account, credential, desk, visit.token),
        ]
        link = Link(
            desk=desk, name=name, subdomain=visit.subdomain, base=visit.base, instance=visit.instance, locale=visit.locale, agent=agent,
            credential=credential, pushed=bool(visit.token), digest=digest(secret), formers=_formers(before.link) if before else (),
            app=before.link.app if before else "", linked_at=now,
        )  # fmt: skip
        changes.puts.append(_document(account, channel, link, now, before.version + 1 if before else 1))
        if not (await desk_cursor.reached(store, account, channel))[1]:
            changes.puts.append(await desk_cursor.at_the_end(store, account, channel, now))
        changes.loose.append(Loose("channel", channel, de.DeskLinked(desk), channel))
        await store.commit(changes)

    await retrying(act)
    return secret


def _formers(before: Link) -> tuple[str, ...]:
    """Digests of what the desk may show until it has the next secret: the latest that it has shown, and those since."""
    if before.standing == REMOVED:
        return ()
    found = (before.digest, *(() if before.shown_at else before.formers))
    # The last one is what the desk has shown.
    return found if len(found) <= FORMERS else (*found[: FORMERS - 1], found[-1])


async def new_app_token(context: Context, account: str, channel: str, *, actor: str) -> str:
    """A token for the desk's app; the one before is void. Its text is kept nowhere. Raises Missing."""
    secret = _secret(context.rng)
    await change(context, account, channel, lambda link: (msgspec.structs.replace(link, app=digest(secret)), None), actor=actor)
    return f"{APP}{channel}_{secret}"


async def stopped(context: Context, linked: Linked, code: str) -> None:
    """The desk does not let us in. Told once."""

    def act(link: Link) -> tuple[Link, Event | None]:
        if link.stopped_at:
            return link, None
        return msgspec.structs.replace(link, stopped_at=context.clock.now(), code=code), de.DeskStopped(code)

    await change(context, linked.account, linked.channel, act)


async def resumed(context: Context, linked: Linked) -> None:
    """It does again."""

    def act(link: Link) -> tuple[Link, Event | None]:
        return (msgspec.structs.replace(link, stopped_at=0, code=""), de.DeskResumed()) if link.stopped_at else (link, None)

    await change(context, linked.account, linked.channel, act)


async def ended(context: Context, linked: Linked, *, for_good: bool, by: str) -> None:
    """The desk has switched the connection off, or removed it."""
    standing = REMOVED if for_good else OFF

    def act(link: Link) -> tuple[Link, Event | None]:
        if link.standing in (standing, REMOVED):
            return link, None
        return msgspec.structs.replace(link, standing=standing, by=by), de.DeskEnded(by)

    # Nothing is kept that is good for nothing any more.
    forgotten = [_credential(context, linked.account, linked.link.credential, linked.link.desk, "")] if for_good else []
    await change(context, linked.account, linked.channel, act, also=forgotten)


async def begun(context: Context, linked: Linked) -> None:
    """The desk has switched the connection on. One that it has removed stays so: an admin connects it anew."""

    def act(link: Link) -> tuple[Link, Event | None]:
        if link.standing != OFF:
            return link, None
        return msgspec.structs.replace(link, standing=ACTIVE, by=""), de.DeskLinked(link.desk)

    await change(context, linked.account, linked.channel, act)


async def change(
    context: Context,
    account: str,
    channel: str,
    act: Callable[[Link], tuple[Link, Event | None]],
    *,
    actor: str = "system",
    also: Sequence[rows.Credential] = (),
) -> None:
    """Change what is kept of a link, with the event of it. Raises Missing."""

    async def once() -> None:
        linked = await find(context.store, account, channel)
        if linked is None:
            raise Missing("link")
        after, event = act(linked.link)
        if after == linked.link:
            return
        changes = Changes(account, context.clock.now(), actor)
        changes.puts += [_document(account, channel, after, changes.at, linked.version + 1), *also]
        if event is not None:
            changes.loose.append(Loose("channel", channel, event, channel))
        await context.store.commit(changes)

    await retrying(once)


def _linked(document: rows.Document) -> Linked:
    return Linked(document.account, document.id, msgspec.json.decode(document.data, type=Link), document.version)


def _credential(context: Context, account: str, id: str, desk: str, token: str) -> rows.Credential:
    vault, plain = context.channels.vault, {"token": token}
    return rows.Credential(
        account, id, desk, vault.seal(plain, place=place(account, id)), vault.fingerprint(plain), "", context.clock.now()
    )


def _document(account: str, channel: str, link: Link, at: int, version: int) -> rows.Document:
    return rows.Document(account, KIND, channel, version, at, msgspec.json.encode(link).decode())
