"""Operations on integrations, their webhooks, and switchboards."""

from typing import Any
from urllib.parse import urlsplit

from heliograph.sandbox.sunshine.center import Call, Center, Problem, Route, page_of
from heliograph.sandbox.sunshine.state import Integration, Switchboard, SwitchboardIntegration, Webhook
from heliograph.sandbox.wire import Json, Response, answer

_TYPES = (
    "android", "apple", "custom", "instagram", "ios", "line", "mailgun", "messagebird", "messenger", "telegram", "twilio", "twitter",
    "unity", "viber", "web", "whatsapp",
)  # fmt: skip
_WEBHOOK_LIMIT = 10


def _create_integration(center: Center, call: Call) -> Response:
    body = call.json()
    if body.get("type") not in _TYPES:
        raise Problem(400, "bad_request", "Invalid integration type")
    hooks = body.get("webhooks") or []
    if body["type"] == "custom" and (not isinstance(hooks, list) or len(hooks) != 1):
        raise Problem(400, "bad_request", "A custom integration requires exactly 1 webhook")
    made = Integration(center.ids.object_id(), body["type"], str(body.get("displayName") or ""))
    for hook in hooks:
        _add_webhook(center, call, made, hook)
    call.app.integrations[made.id] = made
    return answer(201, {"integration": made.to_json()})


def _list_integrations(center: Center, call: Call) -> Response:
    wanted = call.request.query.get("filter[types]")
    found = [i.to_json() for i in call.app.integrations.values() if not wanted or i.type in wanted.split(",")]
    page = page_of(found, call.page(), call.request.origin + call.request.path)
    return answer(200, {"integrations": page.pop("items"), **page})


def _get_integration(center: Center, call: Call) -> Response:
    return answer(200, {"integration": _integration(call).to_json()})


def _delete_integration(center: Center, call: Call) -> Response:
    for hook in _integration(call).webhooks.values():
        hook.calls.removed = True
    del call.app.integrations[_integration(call).id]
    return answer(200, {})


def _create_webhook(center: Center, call: Call) -> Response:
    integration = _integration(call)
    if integration.type != "custom":
        raise Problem(403, "forbidden", "Forbidden")
    if integration.webhooks:
        raise Problem(400, "bad_request", "A custom integration can only have 1 webhook")
    return answer(201, {"webhook": _add_webhook(center, call, integration, call.json()).to_json()})


def _list_webhooks(center: Center, call: Call) -> Response:
    return answer(200, {"webhooks": [w.to_json() for w in _integration(call).webhooks.values()]})


def _get_webhook(center: Center, call: Call) -> Response:
    return answer(200, {"webhook": _webhook(call).to_json()})


def _update_webhook(center: Center, call: Call) -> Response:
    hook, body = _webhook(call), call.json()
    target, triggers = _check_webhook({"target": hook.target, "triggers": list(hook.triggers), **body})
    hook.target, hook.triggers = target, triggers
    hook.calls.url = target
    hook.full_user = bool(body.get("includeFullUser", hook.full_user))
    hook.full_source = bool(body.get("includeFullSource", hook.full_source))
    return answer(200, {"webhook": hook.to_json()})


def _delete_webhook(center: Center, call: Call) -> Response:
    hook = _webhook(call)
    hook.calls.removed = True
    del _integration(call).webhooks[hook.id]
    return answer(200, {})


def _create_switchboard(center: Center, call: Call) -> Response:
    if call.app.switchboards:
        raise Problem(409, "conflict", "Switchboard already exists")
    board = Switchboard(center.ids.object_id())
    call.app.switchboards[board.id] = board
    return answer(201, {"switchboard": board.to_json()})


def _list_switchboards(center: Center, call: Call) -> Response:
    return answer(200, {"switchboards": [s.to_json() for s in call.app.switchboards.values()]})


def _update_switchboard(center: Center, call: Call) -> Response:
    board, body = _board(call), call.json()
    default = body.get("defaultSwitchboardIntegrationId", board.default_id)
    if default and default not in board.members:
        raise Problem(404, "switchboard_integration_not_found", "Switchboard integration not found")
    board.default_id = default
    board.enabled = bool(body.get("enabled", board.enabled))
    return answer(200, {"switchboard": board.to_json()})


def _create_member(center: Center, call: Call) -> Response:
    board, body = _board(call), call.json()
    if len(board.members) >= 10:
        raise Problem(400, "too_many_switchboard_integrations", "The switchboard has too many switchboard integrations")
    integration = call.app.integrations.get(str(body.get("integrationId")))
    if not integration and body.get("integrationType"):
        integration = next((i for i in call.app.integrations.values() if i.type == body["integrationType"]), None)
    name = body.get("name")
    if not isinstance(name, str) or not name or any(m.name == name for m in board.members.values()):
        raise Problem(400, "bad_request", "name must be a string that is unique in the switchboard")
    if integration is None:
        raise Problem(404, "integration_not_found", "Integration not found")
    made = SwitchboardIntegration(
        center.ids.object_id(), name, integration.id, integration.type, bool(body.get("deliverStandbyEvents")),
        str(body.get("nextSwitchboardIntegrationId") or ""),
    )  # fmt: skip
    board.members[made.id] = made
    return answer(201, {"switchboardIntegration": made.to_json()})


def _list_members(center: Center, call: Call) -> Response:
    return answer(200, {"switchboardIntegrations": [m.to_json() for m in _board(call).members.values()]})


def _add_webhook(center: Center, call: Call, integration: Integration, body: Any) -> Webhook:
    target, triggers = _check_webhook(body)
    if sum(len(i.webhooks) for i in call.app.integrations.values()) >= _WEBHOOK_LIMIT:
        raise Problem(400, "bad_request", "An app is limited to 10 webhooks")
    return center.new_webhook(
        call.app, integration, target=target, triggers=triggers,
        full_user=bool(body.get("includeFullUser")), full_source=bool(body.get("includeFullSource")),
    )  # fmt: skip


def _check_webhook(body: Json) -> tuple[str, tuple[str, ...]]:
    if not isinstance(body, dict):
        raise Problem(400, "bad_request", "The webhook must be a JSON object")
    target, triggers = body.get("target"), body.get("triggers")
    try:
        parts = urlsplit(target) if isinstance(target, str) else None
    except ValueError:
        parts = None
    if not isinstance(target, str) or not parts or parts.scheme not in ("http", "https") or not parts.netloc:
        raise Problem(400, "bad_request", "target must be a valid URL")
    if not isinstance(triggers, list) or not triggers or not all(isinstance(t, str) for t in triggers):
        raise Problem(400, "bad_request", "triggers must be a list of strings")
    return target, tuple(triggers)


def _integration(call: Call) -> Integration:
    name = call.args["integrationId"]
    if call.key.kind == "integration" and name not in ("me", call.key.integration_id):
        raise Problem(403, "forbidden", "Forbidden")
    found = call.app.integrations.get(call.key.integration_id if name == "me" else name)
    if found is None:
        raise Problem(404, "integration_not_found", "Integration not found")
    return found


def _webhook(call: Call) -> Webhook:
    found = _integration(call).webhooks.get(call.args["webhookId"])
    if found is None:
        raise Problem(404, "not_found", "Resource not found")
    return found


def _board(call: Call) -> Switchboard:
    found = call.app.switchboards.get(call.args["switchboardId"])
    if found is None:
        raise Problem(404, "switchboard_not_found", "Switchboard not found")
    return found


_I = "/v2/apps/{appId}/integrations"
_W = _I + "/{integrationId}/webhooks"
_S = "/v2/apps/{appId}/switchboards"
_OWNER = ("app", "account")
_HOOKS = ("integration", "app")
ROUTES = (
    Route("POST", _I, "CreateIntegration", _create_integration, "admin", _OWNER),
    Route("GET", _I, "ListIntegrations", _list_integrations, "read", _OWNER),
    Route("GET", _I + "/{integrationId}", "GetIntegration", _get_integration, "read", _OWNER),
    Route("DELETE", _I + "/{integrationId}", "DeleteIntegration", _delete_integration, "admin", _OWNER),
    Route("POST", _W, "CreateWebhook", _create_webhook, "admin", _HOOKS),
    Route("GET", _W, "ListWebhooks", _list_webhooks, "read", _HOOKS),
    Route("GET", _W + "/{webhookId}", "GetWebhook", _get_webhook, "read", _HOOKS),
    Route("PATCH", _W + "/{webhookId}", "UpdateWebhook", _update_webhook, "admin", _HOOKS),
    Route("DELETE", _W + "/{webhookId}", "DeleteWebhook", _delete_webhook, "admin", _HOOKS),
    Route("POST", _S, "CreateSwitchboard", _create_switchboard, "admin", _OWNER),
    Route("GET", _S, "ListSwitchboards", _list_switchboards, "read", _OWNER),
    Route("PATCH", _S + "/{switchboardId}", "UpdateSwitchboard", _update_switchboard, "admin", _OWNER),
    Route("POST", _S + "/{switchboardId}/switchboardIntegrations", "CreateSwitchboardIntegration", _create_member, "admin", _OWNER),
    Route("GET", _S + "/{switchboardId}/switchboardIntegrations", "ListSwitchboardIntegrations", _list_members, "read", _OWNER),
)
