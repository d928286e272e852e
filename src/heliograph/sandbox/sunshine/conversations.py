"""Operations on conversations: create, list, change, delete, participants, activity, and who is in control."""

from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route, page_of
from heliograph.sandbox.sunshine.content import check_metadata
from heliograph.sandbox.sunshine.state import Conversation, SwitchboardIntegration, User
from heliograph.sandbox.wire import SECOND, Json, Response, answer

_EXTRAS = ("displayName", "description", "iconUrl")
_TYPING = 10 * SECOND


def _create_conversation(center: Center, call: Call) -> Response:
    body = call.json()
    kind, people = body.get("type"), body.get("participants", [])
    if kind not in ("personal", "sdkGroup"):
        raise Problem(400, "bad_request", "type must be one of personal, sdkGroup")
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people) or len(people) > 10:
        raise Problem(400, "bad_request", "participants must contain at most 10 participants")
    if kind == "personal" and len(people) != 1:
        raise Problem(400, "bad_request", "A personal conversation has exactly 1 participant")
    wrong = check_metadata(body["metadata"]) if body.get("metadata") is not None else []
    if wrong:
        raise Problem(400, "bad_request", *wrong)
    users = [_participant(center, call, p) for p in people]
    made = center.new_conversation(call.app, kind, users)
    made.metadata = body.get("metadata")
    made.extra = {n: body[n] for n in _EXTRAS if body.get(n) is not None}
    return answer(201, {"conversation": call.app.conversation_json(made)})


def _participant(center: Center, call: Call, person: Json) -> User:
    if (person.get("userId") is None) == (person.get("userExternalId") is None):
        raise Problem(400, "bad_request", "One of userId or userExternalId is required, but not both")
    if person.get("userId") is not None:
        found = call.app.users.get(str(person["userId"]))
    else:
        found = call.app.users.get(call.app.external.get(str(person["userExternalId"]), ""))
    if found is None:
        raise Problem(404, "user_not_found", "User not found")
    if person.get("subscribeSDKClient") and not any(c.type == "web" for c in found.clients):
        center.new_client(call.app, found, "web", found.id)
    return found


def _list_conversations(center: Center, call: Call) -> Response:
    given = {n: call.request.query[f"filter[{n}]"] for n in ("userId", "userExternalId") if f"filter[{n}]" in call.request.query}
    given |= call.packed("filter")
    if len(given) != 1 or not given.keys() <= {"userId", "userExternalId"}:
        raise Problem(400, "bad_request", "One of filter[userId] or filter[userExternalId] is required, but not both")
    user = center.user(call.app, next(iter(given.values())))
    found = [call.app.conversation_json(call.app.conversations[i]) for i in call.app.by_user.get(user.id, [])]
    page = page_of(found, call.page(), call.request.origin + call.request.path)
    return answer(200, {"conversations": page.pop("items"), **page})


def _get_conversation(center: Center, call: Call) -> Response:
    return answer(200, {"conversation": call.app.conversation_json(_here(center, call))})


def _update_conversation(center: Center, call: Call) -> Response:
    conversation, body = _here(center, call), call.json()
    if body.get("metadata") is not None:
        wrong = check_metadata(body["metadata"])
        if wrong:
            raise Problem(400, "bad_request", *wrong)
        conversation.metadata = {**(conversation.metadata or {}), **body["metadata"]}
    for name in _EXTRAS:
        if name in body:
            conversation.extra[name] = body[name]
    return answer(200, {"conversation": call.app.conversation_json(conversation)})


def _delete_conversation(center: Center, call: Call) -> Response:
    conversation = _here(center, call)
    if conversation.is_default:
        raise Problem(400, "bad_request", f"Conversation {conversation.id} cannot be deleted because it is the default.")
    del call.app.conversations[conversation.id]
    center.home.pop(conversation.id)
    for user in conversation.participants:
        call.app.by_user[user].remove(conversation.id)
    center.emit(call.app, "conversation:remove", conversation, {})
    return answer(200, {})


def _list_participants(center: Center, call: Call) -> Response:
    people = [
        {"id": p, "userId": u, "unreadCount": 0, "clientAssociations": [
            {"type": c.type, "clientId": c.id} for c in call.app.users[u].clients]}
        for u, p in _here(center, call).participants.items()
    ]  # fmt: skip
    page = page_of(people, call.page(), call.request.origin + call.request.path)
    return answer(200, {"participants": page.pop("items"), **page})


def _post_activity(center: Center, call: Call) -> Response:
    conversation, body = _here(center, call), call.json()
    author, kind = body.get("author"), body.get("type")
    if not isinstance(author, dict) or author.get("type") not in ("business", "user"):
        raise Problem(400, "bad_request", "author.type must be one of business, user")
    if kind not in ("conversation:read", "typing:start", "typing:stop"):
        raise Problem(400, "bad_request", "type must be one of conversation:read, typing:start, typing:stop")
    if author["type"] == "business":
        if kind == "conversation:read":
            conversation.business_last_read = center.now()
        else:
            conversation.typing_until = center.now() + _TYPING if kind == "typing:start" else 0
        center.changed()
        return answer(200, {})
    user = center.user(call.app, str(author.get("userId") or author.get("userExternalId") or ""))
    emit_activity(center, call, conversation, user, str(kind))
    return answer(200, {})


def emit_activity(center: Center, call: Call, conversation: Conversation, user: User, kind: str) -> None:
    """Tell the webhooks that a contact reads or types."""
    activity = {
        "type": kind, "author": {"type": "user", "userId": user.id, "user": user.brief()}, "source": {"type": "api:conversations"},
    }  # fmt: skip
    trigger = "conversation:read" if kind == "conversation:read" else "conversation:typing"
    center.emit(call.app, trigger, conversation, {"activity": activity}, of=user)


# --- the switchboard --------------------------------------------------------------------------


def _pass_control(center: Center, call: Call) -> Response:
    conversation = _here(center, call)
    member = _named(center, call, conversation, "passControl")
    if member.id != conversation.active:
        conversation.active, conversation.pending = member.id, ""
        _announce(center, call, conversation, "passControl")
    return answer(200, {})


def _offer_control(center: Center, call: Call) -> Response:
    conversation = _here(center, call)
    member = _named(center, call, conversation, "offerControl")
    if member.id == conversation.active:
        _fail(center, call, conversation, "offerControl")
        raise Problem(400, "bad_request", "The offered switchboard integration is already active")
    conversation.pending = member.id
    _announce(center, call, conversation, "offerControl")
    return answer(200, {})


def _accept_control(center: Center, call: Call) -> Response:
    conversation = _here(center, call)
    pending = call.app.member(conversation.pending)
    if call.key.kind == "integration" and (pending is None or pending.integration_id != call.key.integration_id):
        raise Problem(403, "forbidden", "Forbidden")
    if pending is None:
        _fail(center, call, conversation, "acceptControl")
        raise Problem(400, "bad_request", "No switchboard integration is pending")
    conversation.active, conversation.pending = pending.id, ""
    _announce(center, call, conversation, "acceptControl")
    return answer(200, {})


def _release_control(center: Center, call: Call) -> Response:
    conversation = _here(center, call)
    active = call.app.member(conversation.active)
    if call.key.kind == "integration" and (active is None or active.integration_id != call.key.integration_id):
        raise Problem(403, "forbidden", "Forbidden")
    if active is not None or conversation.pending:
        conversation.active = conversation.pending = ""
        _announce(center, call, conversation, "releaseControl")
    return answer(200, {})


def _announce(center: Center, call: Call, conversation: Conversation, action: str) -> None:
    metadata = call.json().get("metadata")
    center.emit(call.app, f"switchboard:{action}", conversation, {"metadata": metadata} if metadata else {})


def _fail(center: Center, call: Call, conversation: Conversation, action: str) -> None:
    error = {"code": "switchboard_invalid_target", "message": "Switchboard invalid target"}
    center.emit(call.app, f"switchboard:{action}:failure", conversation, {"error": error})


def _named(center: Center, call: Call, conversation: Conversation, action: str) -> SwitchboardIntegration:
    wanted = call.json().get("switchboardIntegration")
    if not isinstance(wanted, str) or not wanted:
        raise Problem(400, "bad_request", "switchboardIntegration is required")
    members = [m for s in call.app.switchboards.values() for m in s.members.values()]
    if not call.app.switchboards:
        raise Problem(404, "switchboard_not_found", "Switchboard not found")
    if wanted == "next":
        active = call.app.member(conversation.active)
        wanted = active.next_id if active else ""
    for found in ([m for m in members if m.id == wanted], [m for m in members if m.name == wanted],
                  [m for m in members if m.integration_type == wanted]):  # fmt: skip
        if len(found) == 1:
            return found[0]
        if found:
            raise Problem(400, "bad_request", "The switchboard integration is ambiguous")
    _fail(center, call, conversation, action)
    raise Problem(404, "switchboard_integration_not_found", "Switchboard integration not found")


def _here(center: Center, call: Call) -> Conversation:
    return center.conversation(call.app, call.args["conversationId"])


_C = "/v2/apps/{appId}/conversations"
_ONE = _C + "/{conversationId}"
ROUTES = (
    Route("POST", _C, "CreateConversation", _create_conversation, "admin"),
    Route("GET", _C, "ListConversations", _list_conversations),
    Route("GET", _ONE, "GetConversation", _get_conversation),
    Route("PATCH", _ONE, "UpdateConversation", _update_conversation, "admin"),
    Route("DELETE", _ONE, "DeleteConversation", _delete_conversation, "admin"),
    Route("GET", _ONE + "/participants", "ListParticipants", _list_participants),
    Route("POST", _ONE + "/activity", "PostActivity", _post_activity, "activity"),
    Route("POST", _ONE + "/passControl", "PassControl", _pass_control, "control"),
    Route("POST", _ONE + "/offerControl", "OfferControl", _offer_control, "control"),
    Route("POST", _ONE + "/acceptControl", "AcceptControl", _accept_control, "control"),
    Route("POST", _ONE + "/releaseControl", "ReleaseControl", _release_control, "control"),
)
