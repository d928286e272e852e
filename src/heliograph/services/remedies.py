"""Remedies: what is done so that an incident does not happen again, each with an owner, a date and how far it is."""

import msgspec

from heliograph.domain import publication_events as pe
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.projections.postmortem import Remedy, RemedyState
from heliograph.projections.public.board import Topic, Update
from heliograph.projections.wording.languages import known
from heliograph.services import postmortems, status_page
from heliograph.services.context import Context, Invalid, Missing, retrying

KIND = "remedy"
MOST = 300


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a remedy to be."""

    title: str
    owner: str = ""
    due_at: int = 0
    state: RemedyState = RemedyState.PLANNED
    locale: str = "en"


async def remedies(context: Context, incident: str) -> list[Remedy]:
    """Those of an incident, in the order in which they were written."""
    found = [msgspec.json.decode(row.data, type=Remedy) for row in await context.store.documents("", KIND)]
    return sorted((one for one in found if one.incident == incident), key=lambda one: one.id)


async def set_remedy(context: Context, incident: str, wish: Wish, *, id: str = "", actor: str) -> str:
    """Write a new one, or with `id` change it; returns its id. Followers hear when it is completed. Raises Invalid, Missing."""
    _check(wish)
    made = id or context.new_id("rmd")

    async def act() -> bool:
        page = (await status_page.page_of(context.store, incident)).page
        if not page.updates:
            raise Missing("public incident")
        row = await context.store.document("", KIND, made)
        if id and row is None:
            raise Missing("remedy")
        old = msgspec.json.decode(row.data, type=Remedy) if row else None
        if old is not None and old.incident != incident:
            raise Missing("remedy")
        new = _made(made, incident, wish, old, context.clock.now())
        changes = Changes("", context.clock.now(), actor)
        version = row.version if row else 0
        changes.puts.append(rows.Document("", KIND, made, version + 1, changes.at, msgspec.json.encode(new).decode()))
        changes.loose.append(postmortems.on(incident, pe.RemedySet(made, new.state, new.due_at)))
        await context.store.commit(changes)
        return new.state is RemedyState.COMPLETED

    if await retrying(act):
        await _tell(context, incident, made, actor)
    return made


def _made(id: str, incident: str, wish: Wish, old: Remedy | None, now: int) -> Remedy:
    language = known(wish.locale)
    assert language is not None
    done = wish.state is RemedyState.COMPLETED
    # A translation of another title would say something else.
    kept = old.translations if old is not None and old.title == wish.title.strip() else {}
    return Remedy(
        id=id, incident=incident, title=wish.title.strip(), locale=language.tag, translations=kept, owner=wish.owner.strip(),
        due_at=wish.due_at, state=wish.state, completed_at=(old.completed_at if old and old.completed_at else now) if done else 0,
    )  # fmt: skip


def _check(wish: Wish) -> None:
    if not wish.title.strip() or len(wish.title) > MOST or len(wish.owner) > MOST:
        raise Invalid(f"A remedy needs a title of up to {MOST} characters.")
    if known(wish.locale) is None:
        raise Invalid("There is no such language here.")
    if wish.state is RemedyState.SCHEDULED and not (wish.owner.strip() and wish.due_at):
        raise Invalid("What is scheduled has an owner and a date.")


async def translate(context: Context, id: str, text: str, *, locale: str, actor: str) -> None:
    """Put its title into another language. Raises Invalid, Missing."""
    language = known(locale)
    if language is None or not text.strip() or len(text) > MOST:
        raise Invalid(f"Give a language of ours and a title of up to {MOST} characters.")

    async def act() -> None:
        row = await context.store.document("", KIND, id)
        if row is None:
            raise Missing("remedy")
        old = msgspec.json.decode(row.data, type=Remedy)
        new = msgspec.structs.replace(old, translations={**old.translations, language.tag: text.strip()})
        changes = Changes("", context.clock.now(), actor)
        changes.puts.append(rows.Document("", KIND, id, row.version + 1, changes.at, msgspec.json.encode(new).decode()))
        await context.store.commit(changes)

    await retrying(act)


async def _tell(context: Context, incident: str, id: str, actor: str) -> None:
    """Once the post-mortem is out, followers hear of each completed remedy. The update's id keeps it from being told twice."""
    if not (await postmortems.read(context.store, incident)).story.published_at:
        return
    remedy = next(one for one in await remedies(context, incident) if one.id == id)
    page = (await status_page.page_of(context.store, incident)).page
    told = Update(
        id=f"{id}-done", incident=incident, topic=Topic.REMEDY, phase=page.updates[-1].phase, at=context.clock.now(), facts=page.facts,
        text=remedy.title, locale=remedy.locale, translations=remedy.translations,
    )  # fmt: skip
    await status_page.add_update(context, incident, told, actor=actor)
