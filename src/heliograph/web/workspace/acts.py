"""What an agent does on a ticket: answer, note, decide, solve, reopen."""

import hashlib
import re
from collections.abc import Sequence

from litestar import Response, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.params import FromPath

from heliograph.domain.content import Content, Text
from heliograph.domain.decide import Refusal
from heliograph.ports import rows
from heliograph.ports.store import Duplicate
from heliograph.services import files, reply, tickets
from heliograph.services.context import Context, Invalid, Missing
from heliograph.services.decisions import decide_on
from heliograph.web.auth import Actor, current
from heliograph.web.policy import Need
from heliograph.web.workspace.asking import Asked, form_of, running
from heliograph.web.workspace.render import HEADERS
from heliograph.web.workspace.replies import APPLIES

WRITE = {"need": Need.WRITE}
KEY = re.compile(r"^[A-Za-z0-9_-]{8,64}\Z")
MEDIA_TYPE = re.compile(r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}\Z")
TEXT_LIMIT = 200_000
FILES_LIMIT = 10
ANOTHER = "An earlier version of this text was saved already. Look above; to send this one too, save it once more."


def done(said: str) -> Response[str]:
    """It is saved; the page reloads what shows it."""
    return Response("", status_code=204, headers={**HEADERS, "hx-trigger": said})


@post("/desk/tickets/{ticket:str}/reply", opt=WRITE, request_max_body_size=files.LIMIT + 1_048_576)
async def write_reply(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """Save a reply or a note, once per key however often the form is sent."""
    actor, context = current(request), running(request).context
    form = await form_of(request)
    key, text, public = str(form.get("key", "")), str(form.get("text", "")).strip(), form.get("public") != "no"
    if not KEY.match(key):
        raise Invalid("The form is out of date. Reload the page; the text is kept.")
    if len(text) > TEXT_LIMIT:
        raise Invalid(f"The text is longer than {TEXT_LIMIT} characters.")
    replaces = str(form.get("replaces", ""))
    uploads = _uploads(form)
    data = [await one.read() for one in uploads]
    files_of = [hashlib.sha256(each).hexdigest() for each in data]
    digest = hashlib.sha256("\n".join([ticket, str(public), text, replaces, *files_of]).encode()).hexdigest()
    if (before := await context.store.answer(actor.account, key_name(key))) is not None:
        return again(before, digest)
    contents: list[Content] = [Text(text)] if text else []
    contents += await _keep(context, actor, uploads, data)
    try:
        await reply.reply(
            context, actor.account, ticket, agent=actor.agent, actor=actor.actor, contents=contents, public=public,
            answer=lambda written: rows.Answer(actor.account, key_name(key), digest, 204, written.comment, context.clock.now()),
            replaces=replaces,
        )  # fmt: skip
    except Duplicate:
        before = await context.store.answer(actor.account, key_name(key))
        if before is None:
            raise
        return again(before, digest)
    return done("changed")


def key_name(key: str) -> str:
    """Under which a form's key is kept: apart from the keys of the API, which others choose."""
    return f"desk {key}"


def again(before: rows.Answer, digest: str) -> Response[str]:
    """The answer to a form that was sent before, as it was or changed."""
    if before.digest == digest:
        return done("changed")
    return Response(ANOTHER, status_code=409, media_type="text/plain", headers={**HEADERS, "hx-trigger": "changed"})


def _uploads(form: FormMultiDict) -> list[UploadFile]:
    found = [one for one in form.getall("files", []) if isinstance(one, UploadFile) and one.filename]
    if len(found) > FILES_LIMIT:
        raise Invalid(f"At most {FILES_LIMIT} files go with one reply.")
    return found


async def _keep(context: Context, actor: Actor, uploads: Sequence[UploadFile], data: Sequence[bytes]) -> list[Content]:
    kept: list[Content] = []
    for one, content in zip(uploads, data, strict=True):
        media_type = (one.content_type or "").partition(";")[0].strip().lower()
        row = await files.upload(
            context, actor.account, name=one.filename,
            media_type=media_type if MEDIA_TYPE.match(media_type) else "application/octet-stream", data=content, actor=actor.actor,
        )  # fmt: skip
        kept.append(files.as_media(row))
    return kept


@post("/desk/comments/{comment:str}/decide", opt=WRITE)
async def decide(request: Asked, comment: FromPath[str]) -> Response[str]:
    """Carry out a decision on every part of a reply that it fits."""
    actor, context = current(request), running(request).context
    decision = str((await form_of(request)).get("decision", ""))
    if decision not in APPLIES:
        raise Invalid("There is no such decision.")
    deliveries = await context.store.deliveries_of_comment(actor.account, comment)
    if not deliveries:
        raise Missing("reply")
    fitting = [d for d in deliveries if d.state in APPLIES[decision]]
    if not fitting:
        raise Refusal("That is not open any more: look at the reply’s state.")
    # What is dropped goes from the end, so that no later part leaves while the first is being dropped.
    for delivery in reversed(fitting) if decision == "cancel" else fitting:
        await decide_on(context, actor.account, delivery.id, decision, actor=actor.actor)
    return done("changed")


@post("/desk/tickets/{ticket:str}/solve", opt=WRITE)
async def solve(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """Close the case."""
    await tickets.solve(running(request).context, current(request).account, ticket, actor=current(request).actor)
    return done("changed")


@post("/desk/tickets/{ticket:str}/reopen", opt=WRITE)
async def reopen(request: Asked, ticket: FromPath[str]) -> Response[str]:
    """Take it up again."""
    await tickets.reopen(running(request).context, current(request).account, ticket, actor=current(request).actor)
    return done("changed")


ACTS = [write_reply, decide, solve, reopen]
