"""What signed-in people say on an incident's public page, and their requests for help with it."""

import msgspec

from heliograph.domain import publication_events as pe
from heliograph.domain.decide import Refusal
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes, Loose
from heliograph.projections.public.board import Remark
from heliograph.services.context import Context, Invalid, Missing, retrying
from heliograph.services.status_page import REMARK, page_of

#: PACE: of each agent, that there was a comment.
REQUEST, PACE = "request", "status_comment_pace"
MOST = 2000
#: So many by one agent within an hour.
AN_HOUR = 10
HOUR = 3600 * SECOND
CLOSED = "This page is closed for comments."
TOO_MANY = "You have written a lot in the last hour. Wait a while, or ask us for help instead."


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A call for help with an incident: a ticket with the operator, who answers it outside of any channel. `closed_at` is 0 while open."""

    id: str
    number: int
    incident: str
    account: str
    agent: str
    text: str
    at: int
    closed_at: int = 0


async def remark(context: Context, incident: str, *, account: str, agent: str, name: str, text: str) -> str:
    """Say something in public, signed with a name of one's choice. Raises Invalid, Missing, Refusal (closed, or too much)."""
    words, sign = _words(text), " ".join(name.split())[:60]
    id = context.new_id("rem")

    async def act() -> str:
        kept = await page_of(context.store, incident)
        if not kept.page.updates:
            raise Missing("incident")
        if kept.page.comments_closed:
            raise Refusal(CLOSED)
        # Of each agent one after the other: those that come together would all be the first of the hour.
        last, now = await context.store.document("", PACE, agent), context.clock.now()
        mine = [r for r in await remarks(context) if (r.account, r.agent) == (account, agent) and now - r.at < HOUR]
        if len(mine) >= AN_HOUR:
            raise Refusal(TOO_MANY)
        made = Remark(id=id, incident=incident, account=account, agent=agent, name=sign, text=words, at=now)
        changes = Changes("", now, f"agent:{agent}")
        changes.puts.append(rows.Document("", REMARK, id, 1, now, msgspec.json.encode(made).decode()))
        changes.puts.append(rows.Document("", PACE, agent, (last.version if last else 0) + 1, now, "{}"))
        await context.store.commit(changes)
        return id

    return await retrying(act)


async def hide_remark(context: Context, id: str, *, hidden: bool, actor: str) -> None:
    """Take a comment off the page, or put it back. Raises Missing."""

    async def act() -> None:
        row = await context.store.document("", REMARK, id)
        if row is None:
            raise Missing("comment")
        new = msgspec.structs.replace(msgspec.json.decode(row.data, type=Remark), hidden=hidden)
        changes = Changes("", context.clock.now(), actor)
        changes.puts.append(rows.Document("", REMARK, id, row.version + 1, changes.at, msgspec.json.encode(new).decode()))
        await context.store.commit(changes)

    await retrying(act)


async def remarks(context: Context) -> list[Remark]:
    """All of them, hidden ones too, oldest first."""
    found = [msgspec.json.decode(row.data, type=Remark) for row in await context.store.documents("", REMARK)]
    return sorted(found, key=lambda one: (one.at, one.id))


async def request(context: Context, incident: str, *, account: str, agent: str, text: str) -> Request:
    """Ask the operator for help with an incident: a numbered request that is tied to it. Raises Invalid, Missing, Refusal."""
    words = _words(text)
    if not (await page_of(context.store, incident)).page.updates:
        raise Missing("incident")
    id = context.new_id("req")

    async def act() -> Request:
        now, known = context.clock.now(), await requests(context)
        mine = [one for one in known if (one.account, one.agent) == (account, agent) and now - one.at < HOUR]
        if len(mine) >= AN_HOUR:
            raise Refusal(TOO_MANY)
        counted = await context.store.document("", "counter", REQUEST)
        number = (int(counted.data) if counted else 0) + 1
        made = Request(id=id, number=number, incident=incident, account=account, agent=agent, text=words, at=now)
        changes = Changes("", now, f"agent:{agent}")
        changes.puts.append(rows.Document("", REQUEST, id, 1, now, msgspec.json.encode(made).decode()))
        changes.puts.append(rows.Document("", "counter", REQUEST, (counted.version if counted else 0) + 1, now, str(number)))
        changes.loose.append(Loose("incident", incident, pe.TicketLogged(id), account=""))
        await context.store.commit(changes)
        return made

    return await retrying(act)


async def requests(context: Context) -> list[Request]:
    """All of them, newest first."""
    found = [msgspec.json.decode(row.data, type=Request) for row in await context.store.documents("", REQUEST)]
    return sorted(found, key=lambda one: one.number, reverse=True)


async def close_request(context: Context, id: str, *, actor: str) -> None:
    """It is answered. Raises Missing."""

    async def act() -> None:
        row = await context.store.document("", REQUEST, id)
        if row is None:
            raise Missing("request")
        new = msgspec.structs.replace(msgspec.json.decode(row.data, type=Request), closed_at=context.clock.now())
        changes = Changes("", context.clock.now(), actor)
        changes.puts.append(rows.Document("", REQUEST, id, row.version + 1, changes.at, msgspec.json.encode(new).decode()))
        await context.store.commit(changes)

    await retrying(act)


def _words(text: str) -> str:
    words = text.replace("\r\n", "\n").strip()
    if not words or len(words) > MOST:
        raise Invalid(f"Write something, up to {MOST} characters.")
    return words
