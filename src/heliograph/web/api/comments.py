"""Comments: read a ticket's, write a reply to the contact or an internal note, once however often it is sent."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import HeaderParameter, JSONBody

from heliograph.domain.content import Content, Location, Rich, Text
from heliograph.ports import rows
from heliograph.ports.store import Duplicate
from heliograph.services import files, reply
from heliograph.services.context import Context, Missing
from heliograph.web.api import shapes
from heliograph.web.api.asking import Asked, Cursor, Limit, PathId, context
from heliograph.web.api.cursors import ById, decode, encode
from heliograph.web.auth import Actor, current
from heliograph.web.policy import API
from heliograph.web.problems import Refused

Key = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", pattern=r"^[\x21-\x7e]{1,200}$", description="Makes sending the same request again safe"),
]
Words = Annotated[str, msgspec.Meta(max_length=200_000)]
Short = Annotated[str, msgspec.Meta(max_length=1_000)]


class TextIn(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    """Plain text."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)]


class FileIn(msgspec.Struct, tag="file", forbid_unknown_fields=True):
    """A file uploaded before with `POST /files`, by its id."""

    file: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    caption: Words = ""


class LocationIn(msgspec.Struct, tag="location", forbid_unknown_fields=True):
    """A place, WGS 84 degrees."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    name: Short = ""
    address: Short = ""


class RichIn(msgspec.Struct, tag="rich", forbid_unknown_fields=True):
    """Structured content in the provider's own shape; `summary` is what the desk shows."""

    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    content: dict[str, Any]


ContentIn = TextIn | FileIn | LocationIn | RichIn


class CommentIn(msgspec.Struct, forbid_unknown_fields=True):
    """A comment to be written. `public` goes to the contact; otherwise it is an internal note. `replaces`: a comment whose reply still
    waits and is dropped in the same moment."""

    contents: Annotated[list[ContentIn], msgspec.Meta(min_length=1, max_length=50)]
    public: bool = True
    replaces: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""


class Saved(msgspec.Struct):
    """What was saved, durably. A public comment has one delivery for each message that it becomes."""

    id: str
    ticket: str
    public: bool
    deliveries: list[str]


@get(f"{API}/tickets/{{ticket:str}}/comments", tags=["comments"], summary="Comments of a ticket, oldest first, with their deliveries")
async def list_comments(request: Asked, ticket: PathId, cursor: Cursor = None, limit: Limit = 50) -> shapes.Page[shapes.CommentShape]:
    """A page of comments."""
    account, store = current(request).account, context(request).store
    if await store.ticket(account, ticket) is None:
        raise Missing("ticket")
    after = decode(cursor, ById).id if cursor is not None else ""
    found = [row for row in await store.comments(account, ticket) if row.id > after]
    page = found[:limit]
    deliveries = await store.deliveries_of(account, ticket)
    items = [shapes.comment(row, [d for d in deliveries if d.comment == row.id]) for row in page]
    return shapes.Page(items, encode(ById(page[-1].id)) if len(found) > limit else None)


@post(f"{API}/tickets/{{ticket:str}}/comments", tags=["comments"], summary="Write a reply or an internal note; 201 means that it is saved")
async def create_comment(request: Asked, ticket: PathId, data: JSONBody[CommentIn], key: Key = None) -> Response[Saved]:
    """With an Idempotency-Key the same request gets the same answer again; another body under that key is refused with 409."""
    actor, ctx = current(request), context(request)
    digest = hashlib.sha256(b"\n".join((actor.agent.encode(), request.url.path.encode(), await request.body()))).hexdigest()
    if key is not None and (before := await ctx.store.answer(actor.account, key)) is not None:
        return _again(before, digest)
    contents = await _contents(ctx, actor, data.contents)

    def answer(written: reply.Written) -> rows.Answer:
        body = msgspec.json.encode(Saved(written.comment, ticket, data.public, written.deliveries)).decode()
        return rows.Answer(actor.account, key or "", digest, 201, body, ctx.clock.now())

    try:
        written = await reply.reply(
            ctx, actor.account, ticket, agent=actor.agent, actor=actor.actor, contents=contents, public=data.public,
            answer=answer if key is not None else None, replaces=data.replaces,
        )  # fmt: skip
    except Duplicate:
        # The same key came twice at once, and the other one was quicker.
        before = await ctx.store.answer(actor.account, key or "")
        if before is None:
            raise
        return _again(before, digest)
    return Response(Saved(written.comment, ticket, data.public, written.deliveries), status_code=201)


def _again(before: rows.Answer, digest: str) -> Response[Saved]:
    if before.digest != digest:
        raise Refused(409, "This Idempotency-Key was used for another request. Take a new key for a new comment.")
    saved = msgspec.json.decode(before.body, type=Saved)
    return Response(saved, status_code=before.code, headers={"idempotent-replayed": "true"})


async def _contents(ctx: Context, actor: Actor, given: Sequence[ContentIn]) -> list[Content]:
    made: list[Content] = []
    for index, item in enumerate(given):
        match item:
            case TextIn(text):
                made.append(Text(text))
            case FileIn(id, caption):
                row = await ctx.store.file(actor.account, id)
                if row is None:
                    field = (f"contents[{index}].file", "no such file in this account")
                    raise Refused(
                        422, "Upload the file with POST /api/v1/files first, and name it by the id that comes back.", errors=[field]
                    )
                made.append(files.as_media(row, caption))
            case LocationIn(latitude, longitude, name, address):
                made.append(Location(latitude, longitude, name, address))
            case RichIn(kind, summary, content):
                made.append(Rich(kind, summary, content))
    return made


ROUTES = [list_comments, create_comment]
