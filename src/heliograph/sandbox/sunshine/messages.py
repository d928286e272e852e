"""Operations on messages and attachments."""

from urllib.parse import quote

from heliograph.sandbox.faults import Fault
from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route, cursors
from heliograph.sandbox.sunshine.content import check_message, complete, summary
from heliograph.sandbox.sunshine.state import App, Attachment, Conversation, Message, User
from heliograph.sandbox.wire import Json, Response, Upload, answer

PAGE = 100
UPLOAD_LIMIT = 50 * 1_000_000
_BLOCKED = ("uncategorized_error", "The user has blocked the channel")


def _post_message(center: Center, call: Call) -> Response:
    conversation = center.conversation(call.app, call.args["conversationId"])
    body = call.json()
    wrong = check_message(body)
    if wrong:
        raise Problem(400, "bad_request", *wrong)
    user = _author(center, call, body["author"])
    destination = _destination(center, call, conversation, body)
    if len(conversation.messages) >= center.settings.message_limit:
        raise Problem(423, "locked", f"Message limit of {center.settings.message_limit} per conversation reached.")
    message = store(
        center, call.app, conversation, author=_shown_author(body["author"], user), content=body["content"],
        source={"type": "api:conversations"}, metadata=body.get("metadata"), silent=destination == "none",
    )  # fmt: skip
    if not message.from_user:
        center.tally.take(
            at=message.received, service="sunshine", conversation=conversation.id, message_id=message.id,
            text=summary(message.content), metadata=message.metadata,
        )  # fmt: skip
        conversation.typing_until = 0
    center.emit_message(call.app, conversation, message, user)
    if not message.from_user and not message.silent:
        _deliver(center, call.app, conversation, message, call.receipt)
    return answer(201, {"messages": [message.to_json()]})


def store(
    center: Center, app: App, conversation: Conversation, *, author: Json, content: Json, source: Json, metadata: Json | None = None,
    silent: bool = False,
) -> Message:  # fmt: skip
    """Append a message to a conversation. Raises nothing: the content is checked before."""
    sizes = {a.url: len(a.data) for a in app.attachments.values()}
    message = Message(center.ids.object_id(), center.now(), author, complete(content, sizes.get), source, metadata, silent)
    conversation.add(message)
    return message


def _author(center: Center, call: Call, author: Json) -> User | None:
    if author["type"] != "user":
        return None
    return center.user(call.app, str(author.get("userId") or author.get("userExternalId")))


def _shown_author(author: Json, user: User | None) -> Json:
    shown = {k: v for k, v in author.items() if k not in ("userExternalId", "brandId")}
    return {**shown, "userId": user.id, "displayName": author.get("displayName") or user.name} if user else shown


def _destination(center: Center, call: Call, conversation: Conversation, body: Json) -> str:
    wanted = body.get("destination")
    if wanted is None:
        return ""
    if not isinstance(wanted, dict) or body["author"]["type"] != "business" or conversation.type != "personal":
        raise Problem(400, "bad_request", "destination needs a business author and a personal conversation")
    if wanted.get("integrationType") == "none":
        return "none"
    reached = center.client_of(call.app, conversation)
    clients = reached[0].clients if reached else []
    for client in clients:
        if wanted.get("integrationId") == client.integration_id or wanted.get("integrationType") == client.type:
            return client.type
    raise Problem(400, "bad_request", "The user has no client for this destination")


def _deliver(center: Center, app: App, conversation: Conversation, message: Message, fault: Fault | None) -> None:
    reached = center.client_of(app, conversation)
    wait = center.settings.channel_after
    if reached and (fault or reached[1].state == "blocked"):
        message.refused = True
        error = (fault.error_code, fault.error_message) if fault else _BLOCKED
        center.emit_delivery(app, conversation, message, "failure", after=wait or 0.0, final=True, error=error)
        return
    user_after = center.settings.user_after
    if wait is not None:
        center.emit_delivery(app, conversation, message, "channel", after=wait, final=user_after is None)
    if user_after is not None:
        center.emit_delivery(app, conversation, message, "user", after=user_after, final=True)


def _list_messages(center: Center, call: Call) -> Response:
    conversation = center.conversation(call.app, call.args["conversationId"], "not_found")
    ids = [m.id for m in conversation.messages]
    page = call.page()
    page.pop("size", None)
    for cursor in page.values():
        if cursor not in conversation.position:
            raise Problem(400, "bad_request", "Invalid page query parameters")
    if "after" in page:
        start = conversation.position[page["after"]] + 1
        end = min(len(ids), start + PAGE)
        more = end < len(ids)
    else:
        end = conversation.position[page["before"]] if "before" in page else len(ids)
        start = max(0, end - PAGE)
        more = start > 0
    shown = [m.to_json() for m in conversation.messages[start:end]]
    return answer(200, {"messages": shown, **cursors(ids, start, end, call.request.origin + call.request.path, more=more)})


def _delete_all(center: Center, call: Call) -> Response:
    center.conversation(call.app, call.args["conversationId"]).keep([])
    center.changed()
    return answer(200, {})


def _delete_one(center: Center, call: Call) -> Response:
    conversation = center.conversation(call.app, call.args["conversationId"])
    if call.args["messageId"] not in conversation.position:
        raise Problem(404, "not_found", "Resource not found")
    conversation.keep([m for m in conversation.messages if m.id != call.args["messageId"]])
    center.changed()
    return answer(200, {})


# --- attachments ------------------------------------------------------------------------------


def _upload(center: Center, call: Call) -> Response:
    file = next((f for f in call.request.files if f.field == "source"), None)
    if file is None:
        raise Problem(400, "bad_request", "A file is required in the field source")
    if call.request.query.get("access", "public") != "public":
        raise Problem(400, "bad_request", "access must be public")
    if len(file.data) > UPLOAD_LIMIT:
        raise Problem(413, "payload_too_large", "File is too large")
    kept = keep_file(center, call.app, file, call.request.origin)
    return answer(201, {"attachment": {"mediaUrl": kept.url, "mediaType": kept.media_type}})


def keep_file(center: Center, app: App, file: Upload, origin: str) -> Attachment:
    """Store a file and give it an address."""
    id = center.ids.token(26).replace("-", "0").replace("_", "1").upper()
    name = file.name.replace("/", "_") or "file"
    kept = Attachment(name, file.media_type or "application/octet-stream", file.data, f"{origin}/sc/attachments/v2/{id}/{quote(name)}")
    app.attachments[id] = kept
    return kept


def _remove_attachment(center: Center, call: Call) -> Response:
    wanted = call.json().get("mediaUrl")
    if not isinstance(wanted, str):
        raise Problem(400, "bad_request", "mediaUrl is required")
    found = next((id for id, a in call.app.attachments.items() if a.url == wanted), None)
    if found is None:
        raise Problem(404, "not_found", "Resource not found")
    del call.app.attachments[found]
    return answer(200, {})


_M = "/v2/apps/{appId}/conversations/{conversationId}/messages"
_A = "/v2/apps/{appId}/attachments"
ROUTES = (
    Route("POST", _M, "PostMessage", _post_message, "send"),
    Route("GET", _M, "ListMessages", _list_messages),
    Route("DELETE", _M, "DeleteAllMessages", _delete_all, "admin"),
    Route("DELETE", _M + "/{messageId}", "DeleteMessage", _delete_one, "admin"),
    Route("POST", _A, "UploadAttachment", _upload, "upload"),
    Route("POST", _A + "/remove", "DeleteAttachment", _remove_attachment, "upload"),
)
