"""Operations on users and their clients."""

from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route, page_of
from heliograph.sandbox.sunshine.content import check_metadata
from heliograph.sandbox.wire import Json, Response, answer


def _create_user(center: Center, call: Call) -> Response:
    body = call.json()
    external = body.get("externalId")
    if not isinstance(external, str) or not 1 <= len(external) <= 1024:
        raise Problem(400, "bad_request", "externalId must be a string of 1 to 1024 characters")
    _check(body)
    user = center.new_user(call.app, external, dict(body.get("profile") or {}), dict(body.get("metadata") or {}))
    return answer(201, {"user": user.to_json()})


def _get_user(center: Center, call: Call) -> Response:
    return answer(200, {"user": center.user(call.app, call.args["userIdOrExternalId"]).to_json()})


def _update_user(center: Center, call: Call) -> Response:
    user, body = center.user(call.app, call.args["userIdOrExternalId"]), call.json()
    _check(body)
    user.profile |= body.get("profile") or {}
    user.metadata = {k: v for k, v in {**user.metadata, **(body.get("metadata") or {})}.items() if v is not None}
    center.emit(call.app, "user:update", None, {"user": user.brief(), "reason": "profileUpdate"}, of=user)
    return answer(200, {"user": user.to_json()})


def _delete_user(center: Center, call: Call) -> Response:
    user = center.user(call.app, call.args["userIdOrExternalId"])
    for id in call.app.by_user.pop(user.id, []):
        conversation = call.app.conversations.pop(id)
        center.home.pop(id)
        center.emit(call.app, "conversation:remove", conversation, {}, of=user)
    del call.app.users[user.id]
    call.app.external.pop(user.external_id or "", None)
    center.emit(call.app, "user:remove", None, {"user": user.brief()}, of=user)
    return answer(200, {})


def _list_clients(center: Center, call: Call) -> Response:
    user = center.user(call.app, call.args["userIdOrExternalId"])
    page = page_of([c.to_json() for c in user.clients], call.page(), call.request.origin + call.request.path)
    return answer(200, {"clients": page.pop("items"), **page})


def _remove_client(center: Center, call: Call) -> Response:
    user = center.user(call.app, call.args["userIdOrExternalId"])
    client = next((c for c in user.clients if c.id == call.args["clientId"]), None)
    if client is None:
        raise Problem(404, "client_not_found", "Client not found")
    if client.type == "sdk":
        raise Problem(400, "bad_request", "Cannot remove a client of type 'sdk'")
    user.clients.remove(client)
    center.emit(call.app, "client:remove", None, {"user": user.brief(), "client": client.to_json(), "reason": "api"}, of=user)
    return answer(200, {})


def _check(body: Json) -> None:
    if body.get("profile") is not None and not isinstance(body["profile"], dict):
        raise Problem(400, "bad_request", "profile must be an object")
    kept = {k: v for k, v in body["metadata"].items() if v is not None} if isinstance(body.get("metadata"), dict) else body.get("metadata")
    wrong = check_metadata(kept) if kept is not None else []
    if wrong:
        raise Problem(400, "bad_request", *wrong)


_U = "/v2/apps/{appId}/users"
ROUTES = (
    Route("POST", _U, "CreateUser", _create_user, "admin"),
    Route("GET", _U + "/{userIdOrExternalId}", "GetUser", _get_user),
    Route("PATCH", _U + "/{userIdOrExternalId}", "UpdateUser", _update_user, "admin"),
    Route("DELETE", _U + "/{userIdOrExternalId}", "DeleteUser", _delete_user, "admin"),
    Route("GET", _U + "/{userIdOrExternalId}/clients", "ListClients", _list_clients),
    Route("DELETE", _U + "/{userIdOrExternalId}/clients/{clientId}", "RemoveClient", _remove_client, "admin"),
)
