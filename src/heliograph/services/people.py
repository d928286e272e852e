"""What is known of people beside their name: their mail address and language, and when they were last at the desk."""

import re
from collections.abc import Iterable

import msgspec

from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Conflict, Store
from heliograph.projections.wording.languages import known
from heliograph.services.context import Context, Invalid, Missing, retrying

KIND, PRESENCE = "person", "presence"
ADDRESS = re.compile(r"^[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?\Z")
#: Somebody who has a page open is noted again after so long, microseconds.
PULSE = 240 * SECOND


class Person(msgspec.Struct, frozen=True):
    """Erasable. `mail` "" for none, `language` a tag of ours or "" for the account's."""

    mail: str = ""
    language: str = ""

    def __repr__(self) -> str:
        return "Person(…)"


async def person(store: Store, account: str, agent: str) -> Person:
    """What is known of somebody; a blank one of a stranger."""
    document = await store.document(account, KIND, agent)
    return msgspec.json.decode(document.data, type=Person) if document else Person()


async def set_person(context: Context, account: str, agent: str, *, mail: str, language: str, actor: str) -> None:
    """Where to mail somebody ("" nowhere) and in which language they read ("" the account's). Raises Missing or Invalid."""
    if mail and not ADDRESS.match(mail):
        raise Invalid("This is not a mail address. It looks like name@example.org.")
    spoken = known(language) if language else None
    if language and spoken is None:
        raise Invalid("This language is not spoken here.")
    if await context.store.agent(account, agent) is None:
        raise Missing("agent")

    async def act() -> None:
        document, now = await context.store.document(account, KIND, agent), context.clock.now()
        data = msgspec.json.encode(Person(mail, spoken.tag if spoken else "")).decode()
        changes = Changes(account, now, actor)
        changes.puts.append(rows.Document(account, KIND, agent, document.version + 1 if document else 1, now, data))
        await context.store.commit(changes)

    await retrying(act)


async def language_for(store: Store, account: str, agent: str) -> str:
    """The language that somebody reads: their own choice, else their account's; "" where neither is set or spoken."""
    chosen = (await person(store, account, agent)).language if agent else ""
    if not chosen:
        row = await store.account(account)
        spoken = known(row.locale) if row else None
        chosen = spoken.tag if spoken else ""
    return chosen


async def present(context: Context, account: str, agent: str) -> None:
    """Somebody has a page open now. Raises Unavailable."""
    now = context.clock.now()
    document = await context.store.document(account, PRESENCE, agent)
    if document is not None and now - document.updated_at < PULSE:
        return
    changes = Changes(account, now)
    changes.puts.append(rows.Document(account, PRESENCE, agent, 0, now, "{}"))
    try:
        await context.store.commit(changes)
    except Conflict:
        # Another page of theirs has said the same.
        return


async def away(context: Context, account: str, agents: Iterable[str], *, since: int) -> list[str]:
    """Which of these had no page open since then."""
    seen = {document.id: document.updated_at for document in await context.store.documents(account, PRESENCE)}
    return [agent for agent in agents if seen.get(agent, 0) < since]
