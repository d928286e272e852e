"""People who follow the status page by mail: confirmed by themselves, gone with one click, told each update once."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Annotated

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.announce import Mail, NotTold
from heliograph.ports.runtime import SealBroken, Vault
from heliograph.ports.store import Changes, Conflict, Store
from heliograph.projections.public import letters
from heliograph.projections.public.board import Board, Case, Update
from heliograph.projections.wording.languages import language_of
from heliograph.services.context import Context, Invalid, Missing, retrying
from heliograph.services.tokens import new_text

#: PACE: that somebody was asked.
KIND, PACE = "follower", "follower_pace"
#: Updates older than this are news to nobody.
FRESH = 7 * 24 * 3600 * SECOND
#: How long one process has for one mail before another one may take it up.
LEASE = 120 * SECOND
#: Between two mails that ask the same address to confirm.
PAUSE = 3600 * SECOND
#: An address that nobody confirmed is forgotten after this.
PATIENCE = 3 * 24 * 3600 * SECOND
#: So many addresses may wait for their confirmation: a form that anybody can fill in must not mail the world.
MOST_PENDING = 500
FIRST_DELAY = 30 * SECOND
LAST_DELAY = 3600 * SECOND
#: An address that was refused for good so often, REFUSED_DELAY apart, is forgotten. Not the first time: a mail server of ours that is
#: set up wrongly refuses everybody, and must not cost us all followers.
REFUSALS = 4
REFUSED_DELAY = 6 * 3600 * SECOND
ADDRESS = re.compile(r"^[^\s@<>\"'(),:;\\\[\]\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,63}\Z")


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """As kept. `digest` is of the token that stands in the links of mails, `sealed` opens to it. `told`: updates it has, recent ones."""

    id: str
    address: Annotated[str, msgspec.Meta(description="erasable")]
    locale: str
    digest: str
    sealed: str
    asked_at: int
    confirmed_at: int = 0
    told: list[str] = []
    #: Until when one process is telling it.
    lease_until: int = 0
    #: How often telling it has failed in a row, and when to try again.
    failures: int = 0
    not_before: int = 0
    #: How often in a row its mail server has said that there is no such address.
    refusals: int = 0

    def __repr__(self) -> str:
        return f"Follower({self.id})"


class Kept(msgspec.Struct, frozen=True):
    """A follower with the version of its row."""

    follower: Follower
    version: int


def id_of(vault: Vault, address: str) -> str:
    """One address is one follower: a keyed digest, so that an id gives nobody away."""
    return f"fol_{vault.fingerprint({'follower': address.lower()})}"


async def follow(context: Context, vault: Vault, mail: Mail, address: str, *, locale: str, url: str, name: str) -> None:
    """Ask an address to confirm that it wants mails. Says nothing about whether it follows already. Raises Invalid, NotTold."""
    wanted = address.strip()
    if not ADDRESS.match(wanted):
        raise Invalid("That is no mail address.")
    token = new_text(context.rng)
    follower = await retrying(lambda: _asked(context, vault, wanted, token, locale=locale))
    if follower is None:
        return
    letter = letters.confirmation(follower.locale, link=_link(url, follower, token, "confirm"), name=name)
    try:
        await mail.mail(wanted, letter.subject, letter.text, letter.html, {"Auto-Submitted": "auto-generated"})
    except NotTold:
        # So that somebody may try again at once.
        await _drop(context, follower.id)
        raise


async def _asked(context: Context, vault: Vault, address: str, token: str, *, locale: str) -> Follower | None:
    """Write down that an address is asked to confirm; None where it was already. Raises Invalid where too many are, Conflict."""
    now, id = context.clock.now(), id_of(vault, address)
    # One after the other: those who come together would all find the same room.
    last = await context.store.document("", PACE, PACE)
    kept = await _read(context.store, id)
    if kept is not None and (kept.follower.confirmed_at or now - kept.follower.asked_at < PAUSE):
        return None
    pending = [one for one in await _all(context.store) if not one.follower.confirmed_at]
    if any(_mailbox(one.follower.address) == _mailbox(address) and now - one.follower.asked_at < PAUSE for one in pending):
        return None
    await _forget(context, [one for one in pending if one.follower.id != id], now)
    if sum(now - one.follower.asked_at <= PATIENCE for one in pending) >= MOST_PENDING:
        raise Invalid("Too many addresses wait for their confirmation. Try again tomorrow, or follow the feed.")
    follower = Follower(
        id=id, address=address, locale=language_of(locale).tag, digest=_digest(token), asked_at=now,
        sealed=vault.seal({"token": token}, place=_place(id)),
    )  # fmt: skip
    changes = Changes("", now)
    changes.puts.append(rows.Document("", PACE, PACE, last.version + 1 if last else 1, now, "{}"))
    version = kept.version + 1 if kept else 1
    changes.puts.append(rows.Document("", KIND, id, version, now, msgspec.json.encode(follower).decode()))
    await context.store.commit(changes)
    return follower


def _mailbox(address: str) -> str:
    """Whose it is: what stands behind a plus leads to the same person, who is not to be asked a hundred times."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


async def confirm(context: Context, id: str, token: str) -> Follower:
    """The address wants mails. What was told before is not told again. Raises Missing."""

    async def act() -> Follower:
        kept = await _proved(context.store, id, token)
        if kept.follower.confirmed_at:
            return kept.follower
        return await _saved(context, msgspec.structs.replace(kept.follower, confirmed_at=context.clock.now()), kept.version)

    return await retrying(act)


async def unfollow(context: Context, id: str, token: str) -> bool:
    """The address is gone and forgotten. Returns whether it was there; a wrong token is as good as nobody."""
    try:
        kept = await _proved(context.store, id, token)
    except Missing:
        return False
    await _drop(context, kept.follower.id)
    return True


async def look(context: Context, id: str, token: str) -> Follower:
    """Whose link this is. Raises Missing."""
    return (await _proved(context.store, id, token)).follower


async def tell(context: Context, vault: Vault, mail: Mail, board: Board) -> int:
    """Mail what each follower has not been told yet; returns how many mails went out. Safe in several processes at once.

    A mail is sent under a lease, and its Message-ID is the same whenever it is repeated: after a crash between sending and writing
    down, a mailbox can tell the second copy from news.
    """
    now, sent = board.at, 0
    if not any(now - update.at <= FRESH for case in board.cases for update in case.updates):
        return 0
    for kept in await _all(context.store):
        follower = kept.follower
        if not follower.confirmed_at or follower.lease_until > now or follower.not_before > now:
            continue
        for case in reversed(board.cases):
            untold = _untold(follower, case, now)
            if untold:
                sent += await _tell_one(context, vault, mail, board, follower.id, case, untold)
    return sent


def _untold(follower: Follower, case: Case, now: int) -> list[Update]:
    since = max(follower.confirmed_at, now - FRESH)
    return [update for update in case.updates if update.at > since and update.id not in follower.told]


async def _tell_one(context: Context, vault: Vault, mail: Mail, board: Board, id: str, case: Case, untold: Iterable[Update]) -> int:
    kept, now = await _read(context.store, id), context.clock.now()
    if kept is None or kept.follower.lease_until > now:
        return 0
    news = [update for update in untold if update.id not in kept.follower.told]
    if not news:
        return 0
    held = msgspec.structs.replace(kept.follower, lease_until=now + LEASE)
    if not await _write(context, held, kept.version):
        return 0
    held, token = await _token(context, vault, held)
    link = _link(board.url, held, token, "unsubscribe")
    letter = letters.news(board, case, news, held.locale, unsubscribe=link)
    await context.failpoint("before_follower_mail")
    try:
        await mail.mail(held.address, letter.subject, letter.text, letter.html, _headers(board.url, link, held, news))
    except NotTold as refused:
        await _failed(context, held, final=refused.final)
        return 0
    await context.failpoint("after_follower_mail")
    await _told(context, held.id, news)
    return 1


def _headers(url: str, link: str, follower: Follower, news: Iterable[Update]) -> dict[str, str]:
    """RFC 8058: mail programs show a button that unsubscribes with one POST."""
    ids = "-".join(update.id for update in news)
    host = url.partition("://")[2].partition("/")[0].partition(":")[0] or "localhost"
    mark = hashlib.sha256(f"{follower.id}-{ids}".encode()).hexdigest()[:24]
    return {
        "Message-ID": f"<{mark}@{host}>",
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": f"status <status.{host}>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
    }


async def _told(context: Context, id: str, news: Iterable[Update]) -> None:
    async def act() -> None:
        kept = await _read(context.store, id)
        if kept is None:
            return
        told = [*kept.follower.told, *(update.id for update in news)][-200:]
        await _saved(
            context, msgspec.structs.replace(kept.follower, told=told, lease_until=0, failures=0, not_before=0, refusals=0), kept.version
        )

    await retrying(act)


async def _failed(context: Context, follower: Follower, *, final: bool) -> None:
    """Later, ever more rarely; an address that takes no mail is forgotten in the end."""
    context.observe("follower_not_told", {"final": int(final)})

    async def act() -> None:
        kept = await _read(context.store, follower.id)
        if kept is None:
            return
        now, failures, refusals = context.clock.now(), kept.follower.failures + 1, kept.follower.refusals + final
        if refusals >= REFUSALS:
            await _drop(context, follower.id)
            return
        later = now + (REFUSED_DELAY if final else min(FIRST_DELAY << min(failures - 1, 16), LAST_DELAY))
        new = msgspec.structs.replace(kept.follower, failures=failures, refusals=refusals, not_before=later, lease_until=0)
        await _saved(context, new, kept.version)

    await retrying(act)


async def _token(context: Context, vault: Vault, follower: Follower) -> tuple[Follower, str]:
    """The token of a follower's links; a new one where the old does not open with this master key any more."""
    try:
        return follower, vault.open(follower.sealed, place=_place(follower.id))["token"]
    except SealBroken:
        token = new_text(context.rng)
        fresh = msgspec.structs.replace(follower, digest=_digest(token), sealed=vault.seal({"token": token}, place=_place(follower.id)))

        async def act() -> None:
            kept = await _read(context.store, follower.id)
            if kept is not None:
                await _saved(context, msgspec.structs.replace(kept.follower, digest=fresh.digest, sealed=fresh.sealed), kept.version)

        await retrying(act)
        return fresh, token


def _link(url: str, follower: Follower, token: str, act: str) -> str:
    return f"{url}/status/followers/{follower.id}/{act}?token={token}"


def sealed_at(account: str, id: str) -> str:
    """What the token of the document `id` is bound to; the installation's, so that `account` is ""."""
    return _place(id)


def _place(id: str) -> str:
    return f"follower/{id}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def _read(store: Store, id: str) -> Kept | None:
    row = await store.document("", KIND, id)
    return Kept(msgspec.json.decode(row.data, type=Follower), row.version) if row else None


async def _all(store: Store) -> list[Kept]:
    return [Kept(msgspec.json.decode(row.data, type=Follower), row.version) for row in await store.documents("", KIND)]


async def _proved(store: Store, id: str, token: str) -> Kept:
    kept = await _read(store, id)
    if kept is None or not hmac.compare_digest(kept.follower.digest, _digest(token)):
        raise Missing("follower")
    return kept


async def _saved(context: Context, follower: Follower, version: int) -> Follower:
    changes = Changes("", context.clock.now())
    changes.puts.append(rows.Document("", KIND, follower.id, version + 1, changes.at, msgspec.json.encode(follower).decode()))
    await context.store.commit(changes)
    return follower


async def _write(context: Context, follower: Follower, version: int) -> bool:
    """Whether it was written; not where somebody else was quicker."""
    try:
        await _saved(context, follower, version)
    except Conflict:
        return False
    return True


async def _drop(context: Context, id: str) -> None:
    changes = Changes("", context.clock.now())
    changes.puts.append(rows.DropDocument("", KIND, id))
    await context.store.commit(changes)


async def _forget(context: Context, pending: list[Kept], now: int) -> None:
    old = [kept for kept in pending if now - kept.follower.asked_at > PATIENCE]
    if old:
        changes = Changes("", now)
        changes.puts += [rows.DropDocument("", KIND, kept.follower.id) for kept in old]
        await context.store.commit(changes)
