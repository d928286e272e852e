"""Turns external resources, pushed or pulled, into comments: threads, repeats, follow-ups, and what halts a batch."""

from urllib.parse import urljoin, urlsplit

from heliograph.sandbox.errands import Answer
from heliograph.sandbox.faults import Mode
from heliograph.sandbox.wire import Json
from heliograph.sandbox.zendesk import tickets
from heliograph.sandbox.zendesk.center import SERVICE, Center
from heliograph.sandbox.zendesk.state import Comment, Instance, StoredFile, Ticket, User


def take(center: Center, instance: Instance, resources: list[Json], *, by: str, request_id: str) -> list[Json]:
    """Import a batch in order. After the first item that fails the rest is halted: not looked at at all.

    Returns one result for each, in the same order; `resources` are valid.
    """
    results: list[Json] = []
    events: list[Json] = []
    halted = False
    for item in resources:
        if halted:
            results.append(_result(item, "halted", "An earlier item failed"))
            continue
        code, description = _one(center, instance, item, by, events)
        halted = code not in ("success", "already_imported")
        results.append(_result(item, code, description))
    if events:
        center.emit(instance.integration, "resources_created_from_external_ids", {"request_id": request_id, "resource_events": events})
    center.changed()
    return results


def _result(item: Json, code: str, description: str = "") -> Json:
    return {"external_resource_id": item["external_id"], "status": {"code": code, **({"description": description} if description else {})}}


def _one(center: Center, instance: Instance, item: Json, by: str, events: list[Json]) -> tuple[str, str]:
    if item["external_id"] in instance.external:
        center.repeats += 1
        return "already_imported", ""
    if center.struck("import", Mode.ERROR_NOT_TAKEN):
        return "processing_error", "The item could not be processed"
    ticket = None
    if item.get("parent_id"):
        parent = instance.external.get(item["parent_id"])
        if parent is None:
            return "could_not_locate_parent_external_resource", item["parent_id"]
        ticket = center.tickets[parent.ticket]
    elif item.get("thread_id") in instance.threads:
        ticket = center.tickets[instance.threads[item["thread_id"]]]
    comment, kind = _import(center, instance, item, by, ticket)
    event: Json = {"type_id": kind, "external_id": comment.external_id, "comment_id": comment.id, "ticket_id": comment.ticket}
    if kind == "comment_on_follow_up_ticket":
        event["follow_up_ticket_id"] = comment.ticket
    events.append(event)
    # As if the answer alone had gone wrong: the item is there, and the service is told that it is not.
    if center.struck("import", Mode.ERROR_TAKEN):
        return "processing_error", "The item could not be processed"
    return "success", ""


def _import(center: Center, instance: Instance, item: Json, by: str, ticket: Ticket | None) -> tuple[Comment, str]:
    author = _person(center, instance, item["author"])
    kind = "comment_on_existing_ticket"
    if ticket is None or ticket.state == "closed":
        follows = ticket is not None and bool(instance.integration.manifest and instance.integration.manifest.create_followup_tickets)
        kind = "comment_on_follow_up_ticket" if follows else "comment_on_new_ticket"
        # Without follow-ups, what comes for a closed ticket opens one that knows nothing of it. [M]
        ticket = _open(center, instance, item, author, ticket.id if ticket and follows else None)
    if item.get("thread_id"):
        instance.threads[item["thread_id"]] = ticket.id
    note = bool(item.get("internal_note"))
    comment = tickets.add(
        center, ticket, author, item["message"], html=item.get("html_message", ""), public=not note, by=by,
        external_id=item["external_id"], claimed_at=item["created_at"],
    )  # fmt: skip
    instance.external[comment.external_id] = comment
    ticket.allow_channelback = item.get("allow_channelback", ticket.allow_channelback)
    if ticket.state in ("pending", "solved") and not note:
        tickets.set_state(center, ticket, "open", author.id)
    for url in item.get("file_urls", ()):
        _fetch(center, instance, comment, url)
    _count(center, instance, item, comment, note=note)
    return comment, kind


def _count(center: Center, instance: Instance, item: Json, comment: Comment, *, note: bool) -> None:
    if note:
        center.notes += 1
        return
    center.imported += 1
    # Only what is a comment is judged: a note is nobody's message.
    place = item.get("thread_id") or f"ticket:{comment.ticket}"
    center.tally.take(
        at=center.now(), service=SERVICE, conversation=place, message_id=str(comment.id), text=comment.text,
        metadata={"external_id": comment.external_id},
    )  # fmt: skip


def _person(center: Center, instance: Instance, author: Json) -> User:
    key = (instance.integration.id, author["external_id"])
    user = center.identities.get(key)
    if user is None:
        user = center.identities[key] = center.new_user(author.get("name") or "Unknown", "end-user", external=author["external_id"])
    user.name = author.get("name", user.name)
    user.image_url, user.locale = author.get("image_url", user.image_url), author.get("locale", user.locale)
    return user


def _open(center: Center, instance: Instance, item: Json, author: User, follows: int | None) -> Ticket:
    ticket = tickets.open_ticket(center, author, item["message"], instance=instance.id, thread=item.get("thread_id", ""))
    ticket.follow_up_of = follows
    ticket.fields = list(item.get("fields", ()))
    return ticket


# --- files ---------------------------------------------------------------------------------------


def _fetch(center: Center, instance: Instance, comment: Comment, url: str) -> None:
    manifest = instance.integration.manifest
    base = manifest.urls.get("pull_url") or manifest.urls["admin_ui"] if manifest else ""
    whole = urljoin(base, url)
    name = urlsplit(whole).path.rpartition("/")[2] or "file"
    file = center.store(name, "application/octet-stream", None, whole)
    comment.files.append(file)
    _try_fetch(center, file, 0)


def _try_fetch(center: Center, file: StoredFile, attempt: int) -> None:
    waits = center.settings.file_waits
    after = waits[attempt - 1] if attempt else 0.0
    done = lambda answer: _file_came(center, file, answer, attempt)  # noqa: E731
    # Nothing but the address: whoever has it, has the file.
    center.errands.put(SERVICE, "file", "POST", file.source, done=done, timeout=center.settings.file_timeout, after=after)


def _file_came(center: Center, file: StoredFile, answer: Answer | None, attempt: int) -> None:
    if answer is not None and answer.code == 200 and len(answer.body) <= center.settings.file_limit:
        file.data, file.problem = answer.body, ""
        file.media_type = answer.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        file.name = _named(answer.headers.get("content-disposition", "")) or file.name
    elif (answer is None or answer.code >= 500) and attempt < len(center.settings.file_waits):
        file.problem = "not fetched yet"
        _try_fetch(center, file, attempt + 1)
    else:
        file.problem = f"could not be fetched ({answer.code if answer else 'no answer'})"


def _named(disposition: str) -> str:
    for part in disposition.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "filename":
            return value.strip('"').rpartition("/")[2]
    return ""
