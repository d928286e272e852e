"""Operations on apps and keys."""

from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route, page_of
from heliograph.sandbox.sunshine.content import check_metadata
from heliograph.sandbox.sunshine.state import Integration, Key
from heliograph.sandbox.wire import Response, answer

_KEY_LIMIT = 10


def _create_app(center: Center, call: Call) -> Response:
    name = _name(call)
    return answer(201, {"app": center.new_app(name).to_json()})


def _list_apps(center: Center, call: Call) -> Response:
    page = page_of([a.to_json() for a in center.apps.values()], call.page(), call.request.origin + call.request.path)
    return answer(200, {"apps": page.pop("items"), **page})


def _get_app(center: Center, call: Call) -> Response:
    return answer(200, {"app": call.app.to_json()})


def _update_app(center: Center, call: Call) -> Response:
    body = call.json()
    if "displayName" in body:
        call.app.name = _name(call)
    if "metadata" in body:
        wrong = check_metadata(body["metadata"])
        if wrong:
            raise Problem(400, "bad_request", *wrong)
        call.app.metadata = body["metadata"]
    if isinstance(body.get("settings"), dict):
        call.app.settings |= body["settings"]
    return answer(200, {"app": call.app.to_json()})


def _create_key(center: Center, call: Call) -> Response:
    name = _name(call)
    if len(_app_keys(center, call)) >= _KEY_LIMIT:
        raise Problem(400, "bad_request", "An app can have a maximum of 10 keys")
    return answer(201, {"key": center.new_key(call.app, "app", name=name).to_json()})


def _list_keys(center: Center, call: Call) -> Response:
    return answer(200, {"keys": [k.to_json() for k in _app_keys(center, call)]})


def _get_key(center: Center, call: Call) -> Response:
    return answer(200, {"key": _find(_app_keys(center, call), call).to_json()})


def _delete_key(center: Center, call: Call) -> Response:
    del center.keys[_find(_app_keys(center, call), call).id]
    return answer(200, {})


def _create_integration_key(center: Center, call: Call) -> Response:
    integration = _integration(call)
    if len(_integration_keys(center, integration)) >= _KEY_LIMIT:
        raise Problem(400, "bad_request", "A custom integration can have a maximum of 10 keys")
    return answer(201, {"key": center.new_key(call.app, "integration", integration_id=integration.id, name=_name(call)).to_json()})


def _list_integration_keys(center: Center, call: Call) -> Response:
    return answer(200, {"keys": [k.to_json() for k in _integration_keys(center, _integration(call))]})


def _get_integration_key(center: Center, call: Call) -> Response:
    return answer(200, {"key": _find(_integration_keys(center, _integration(call)), call).to_json()})


def _delete_integration_key(center: Center, call: Call) -> Response:
    del center.keys[_find(_integration_keys(center, _integration(call)), call).id]
    return answer(200, {})


def _name(call: Call) -> str:
    name = call.json().get("displayName")
    if not isinstance(name, str) or not 1 <= len(name) <= 100:
        raise Problem(400, "bad_request", "displayName must be a string of 1 to 100 characters")
    return name


def _app_keys(center: Center, call: Call) -> list[Key]:
    return [k for k in center.keys.values() if k.kind == "app" and k.app_id == call.app.id]


def _integration_keys(center: Center, integration: Integration) -> list[Key]:
    return [k for k in center.keys.values() if k.integration_id == integration.id]


def _integration(call: Call) -> Integration:
    found = call.app.integrations.get(call.args["integrationId"])
    if found is None or found.type != "custom":
        raise Problem(404, "integration_not_found", "Integration not found")
    return found


def _find(keys: list[Key], call: Call) -> Key:
    found = next((k for k in keys if k.id == call.args["keyId"]), None)
    if found is None:
        raise Problem(404, "not_found", "Resource not found")
    return found


_APP = "/v2/apps/{appId}"
_KEYS = _APP + "/integrations/{integrationId}/keys"
_ACCOUNT = ("account",)
_OWNER = ("app", "account")
ROUTES = (
    Route("POST", "/v2/apps", "CreateApp", _create_app, "admin", _ACCOUNT),
    Route("GET", "/v2/apps", "ListApps", _list_apps, "admin", _ACCOUNT),
    Route("GET", _APP, "GetApp", _get_app, "read", _OWNER),
    Route("PATCH", _APP, "UpdateApp", _update_app, "admin", _OWNER),
    Route("POST", _APP + "/keys", "CreateAppKey", _create_key, "admin", _ACCOUNT),
    Route("GET", _APP + "/keys", "ListAppKeys", _list_keys, "admin", _ACCOUNT),
    Route("GET", _APP + "/keys/{keyId}", "GetAppKey", _get_key, "admin", _ACCOUNT),
    Route("DELETE", _APP + "/keys/{keyId}", "DeleteAppKey", _delete_key, "admin", _ACCOUNT),
    Route("POST", _KEYS, "CreateCustomIntegrationKey", _create_integration_key, "admin", _OWNER),
    Route("GET", _KEYS, "ListCustomIntegrationKeys", _list_integration_keys, "admin", _OWNER),
    Route("GET", _KEYS + "/{keyId}", "GetCustomIntegrationKey", _get_integration_key, "admin", _OWNER),
    Route("DELETE", _KEYS + "/{keyId}", "DeleteCustomIntegrationKey", _delete_integration_key, "admin", _OWNER),
)
