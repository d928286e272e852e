"""Exchanges the master key: which key seals what, and everything sealed anew, in steps that may be interrupted at any point."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import msgspec

from heliograph.domain import key_events as ev
from heliograph.ports import rows
from heliograph.ports.runtime import SealBroken
from heliograph.ports.store import Changes, Conflict, Loose
from heliograph.services import followers, quarantine
from heliograph.services.channels import place
from heliograph.services.context import Context, Invalid, retrying
from heliograph.services.releases import running

#: Documents of the installation: what fingerprints are made with, and the key that everything is to be sealed with.
KIND, PRINTS, CURRENT = "installation", "prints", "key_current"
PRINTS_PLACE = "|installation|prints"
#: Secrets in one act.
BATCH = 200
#: Kinds of documents that hold something sealed in a field `sealed`, and what that is bound to.
DOCUMENTS = {followers.KIND: followers.sealed_at, quarantine.KIND: quarantine.sealed_at}


class Prints(msgspec.Struct):
    """The key of all fingerprints, kept so that it outlives the master key that it was once made from."""

    sealed: str

    def __repr__(self) -> str:
        return "Prints(…)"


class Current(msgspec.Struct):
    """With which key all is sealed, or will be once a rotation that began has ended (`ended_at` 0); `before`: keys that opened it then."""

    key: str
    before: list[str]
    began_at: int
    ended_at: int


class Sealing(NamedTuple):
    """How many secrets of a kind one key has sealed; `broken` of them do not open. `holder`: the account, "" for the installation."""

    kind: str
    holder: str
    key: str
    number: int
    broken: int


class Turned(NamedTuple):
    """What a rotation did: secrets sealed anew, and those that no key here opens, which stay as they are."""

    resealed: int
    broken: int


async def survey(context: Context) -> list[Sealing]:
    """Everything that is sealed, by kind, account and key. It opens each and keeps nothing of it."""
    found: dict[tuple[str, str, str], list[int]] = {}
    async for kind, holder, sealed, at in _sealed(context):
        tally = found.setdefault((kind, holder, context.channels.vault.sealed_by(sealed)), [0, 0])
        tally[0] += 1
        tally[1] += not _opens(context, sealed, at)
    return [Sealing(*key, *tally) for key, tally in sorted(found.items())]


async def missing(context: Context) -> list[str]:
    """Names of keys that this process would need and does not hold."""
    now = await current(context)
    if now is None:
        return []
    return [key for key in (now.key, *([] if now.ended_at else now.before)) if key not in context.channels.vault.key_ids]


async def current(context: Context) -> Current | None:
    """The key of the last rotation that began; None where there never was one."""
    found = await context.store.document("", KIND, CURRENT)
    return None if found is None else msgspec.json.decode(found.data, type=Current)


async def rotate(context: Context) -> Turned:
    """Seal everything anew with this process's first key. Interrupted, it goes on where it was when called again.

    Fingerprints stay: they name versions of credentials, which holds are kept under, and releases. Raises Invalid where a process that
    runs does not hold the key.
    """
    vault = context.channels.vault
    await _begin(context)
    resealed = broken = 0
    after = ("", "")
    while batch := await context.store.own_credentials(after, BATCH):
        after = (batch[-1].account, batch[-1].id)
        stale = [credential for credential in batch if vault.sealed_by(credential.sealed) != vault.key_id]
        for account in sorted({credential.account for credential in stale}):
            changes = Changes(account, context.clock.now(), "operator")
            for credential in stale:
                if credential.account == account and (sealed := _again(context, credential.sealed, place(account, credential.id))):
                    changes.puts.append(rows.Reseal(account, credential.id, credential.sealed, sealed))
            broken += sum(credential.account == account for credential in stale) - len(changes.puts)
            resealed += await _commit(context, changes)
    for kind in DOCUMENTS:
        done, unopened = await _documents(context, kind)
        resealed, broken = resealed + done, broken + unopened
    await _end(context, resealed, broken)
    return Turned(resealed, broken)


async def _commit(context: Context, changes: Changes) -> int:
    if changes.puts:
        await context.failpoint("rotate:before_commit")
        await context.store.commit(changes)
        await context.failpoint("rotate:after_commit")
    return len(changes.puts)


async def _begin(context: Context) -> None:
    """From here on a release that does not hold the key is refused by the gate."""

    async def act() -> None:
        vault, now = context.channels.vault, context.clock.now()
        found = await context.store.document("", KIND, CURRENT)
        was = None if found is None else msgspec.json.decode(found.data, type=Current)
        if was is not None and was.key == vault.key_id and not was.ended_at:
            return
        await _expect_held(context)
        begun = Current(vault.key_id, sorted(set(vault.key_ids) - {vault.key_id}), now, 0)
        changes = Changes("", now, "operator", puts=[_document(CURRENT, _next(found), now, begun)])
        # Before anything else: what is noted by fingerprint must be found again by whoever holds the new key alone.
        changes.puts.append(_document(PRINTS, 0, now, await _prints(context)))
        changes.loose.append(Loose("credential", "master_key", ev.KeyRotationBegan(vault.key_id), account=""))
        await context.store.commit(changes)

    await context.failpoint("rotate:before_begin")
    await retrying(act)
    await context.failpoint("rotate:after_begin")


async def _expect_held(context: Context) -> None:
    for release, processes in (await running(context.store, context.clock.now())).items():
        if any(context.channels.vault.key_id not in process.keys for process in processes):
            raise Invalid(
                f"Release {release} runs without the new key, and could no longer open what is sealed with it. Start it with the new key "
                "in HELIOGRAPH_MASTER_KEY and the present one in HELIOGRAPH_MASTER_KEY_OLD, then rotate."
            )


async def _prints(context: Context) -> Prints:
    vault = context.channels.vault
    return Prints(vault.seal({"key": b64encode(vault.prints).decode()}, place=PRINTS_PLACE))


async def _end(context: Context, resealed: int, broken: int) -> None:
    async def act() -> None:
        vault, now = context.channels.vault, context.clock.now()
        found = await context.store.document("", KIND, CURRENT)
        was = None if found is None else msgspec.json.decode(found.data, type=Current)
        if was is None or was.key != vault.key_id:
            raise Invalid("Another rotation began meanwhile.")
        ended = Current(was.key, was.before, was.began_at, now)
        changes = Changes("", now, "operator", puts=[_document(CURRENT, _next(found), now, ended)])
        changes.loose.append(Loose("credential", "master_key", ev.KeyRotated(vault.key_id, resealed, broken), account=""))
        await context.store.commit(changes)

    await context.failpoint("rotate:before_end")
    await retrying(act)


async def _documents(context: Context, kind: str) -> tuple[int, int]:
    """One by one: who changes one meanwhile has sealed it with the first key already, or is found by the next look."""
    vault, done, broken = context.channels.vault, 0, 0
    for document in await context.store.documents_of_all(kind):
        data: dict[str, object] = msgspec.json.decode(document.data)
        sealed = str(data.get("sealed", ""))
        if not sealed or vault.sealed_by(sealed) == vault.key_id:
            continue
        again = _again(context, sealed, DOCUMENTS[kind](document.account, document.id))
        if not again:
            broken += 1
            continue
        text = msgspec.json.encode({**data, "sealed": again}).decode()
        changes = Changes(document.account, context.clock.now(), "operator")
        changes.puts.append(document._replace(version=document.version + 1, updated_at=changes.at, data=text))
        try:
            done += await _commit(context, changes)
        except Conflict:
            broken += 1
    return done, broken


async def _sealed(context: Context) -> AsyncIterator[tuple[str, str, str, str]]:
    """Kind, account, ciphertext and place of everything that is sealed."""
    after = ("", "")
    while batch := await context.store.own_credentials(after, BATCH):
        after = (batch[-1].account, batch[-1].id)
        for credential in batch:
            yield credential.provider, credential.account, credential.sealed, place(credential.account, credential.id)
    for kind, at in DOCUMENTS.items():
        for document in await context.store.documents_of_all(kind):
            data: Mapping[str, object] = msgspec.json.decode(document.data)
            if data.get("sealed"):
                yield kind, document.account, str(data["sealed"]), at(document.account, document.id)
    prints = await context.store.document("", KIND, PRINTS)
    if prints is not None:
        yield PRINTS, "", msgspec.json.decode(prints.data, type=Prints).sealed, PRINTS_PLACE


def _opens(context: Context, sealed: str, at: str) -> bool:
    try:
        context.channels.vault.open(sealed, place=at)
    except SealBroken:
        return False
    return True


def _again(context: Context, sealed: str, at: str) -> str:
    """The same, sealed with the first key; "" where it does not open."""
    try:
        return context.channels.vault.seal(context.channels.vault.open(sealed, place=at), place=at)
    except SealBroken:
        return ""


def _next(found: rows.Document | None) -> int:
    return 1 if found is None else found.version + 1


def _document(id: str, version: int, at: int, data: object) -> rows.Document:
    return rows.Document("", KIND, id, version, at, msgspec.json.encode(data).decode())
