"""Integration services and their accounts: the manifest, the round trip through the admin page, activation and its end."""

import json
from html import escape

from heliograph.sandbox.errands import Answer
from heliograph.sandbox.wire import Request, Response
from heliograph.sandbox.zendesk import pulling, shapes
from heliograph.sandbox.zendesk.center import SERVICE, Center, Problem
from heliograph.sandbox.zendesk.standing import deactivate
from heliograph.sandbox.zendesk.state import Instance, Integration

NAME_LIMIT = 255
_SAVED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>The account is saved</title>'
    "<h1>The account is saved</h1><p>You can close this page.</p></html>"
)
_CHANNELS = "/zendesk/channels/integration_service_instances/"
RETURN_PATH = _CHANNELS + "return/"
ADMIN_PATH = _CHANNELS + "account"


def register(center: Center, manifest_url: str) -> Integration:
    """What installing an app with this requirement does: its manifest is fetched, and is in force if nothing is wrong with it."""
    found = next((i for i in center.integrations.values() if i.manifest_url == manifest_url), None)
    integration = found or Integration(center.new_id(), manifest_url)
    center.integrations[integration.id] = integration
    wrong = shapes.address("manifest_url", manifest_url)
    if wrong or "://" not in manifest_url:
        integration.faults = wrong or ["manifest_url must be a whole address"]
        return integration
    fetched = lambda answer: _manifest_came(center, integration, answer)  # noqa: E731
    center.errands.put(SERVICE, "manifest", "GET", manifest_url, done=fetched, timeout=center.settings.manifest_timeout)
    return integration


def _manifest_came(center: Center, integration: Integration, answer: Answer | None) -> None:
    if answer is None or answer.code != 200:
        integration.faults = [f"the manifest's address {f'answered {answer.code}' if answer else 'did not answer'}"]
        return
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        integration.faults = ["the manifest is not JSON"]
        return
    manifest = shapes.manifest(value, integration.manifest_url)
    if isinstance(manifest, list):
        integration.faults = manifest
        return
    taken = any(i.manifest and i.manifest.id == manifest.id for i in center.integrations.values() if i is not integration)
    if taken:
        integration.faults = ["manifest.id belongs to another integration"]
        return
    fresh = integration.manifest is None
    integration.manifest, integration.faults = manifest, []
    if integration.events is None or integration.events.url != manifest.urls.get("event_callback_url"):
        integration.events = center.target(integration)
    if fresh:
        center.emit(integration, "create_integration", {"manifest_url": integration.manifest_url})


# --- the round trip through the service's admin page -------------------------------------------


def begin(center: Center, integration: Integration, *, locale: str, instance: Instance | None = None) -> tuple[str, dict[str, str]]:
    """Address and fields of the form that opens the service's admin page, to add an account or to edit one. Raises Problem."""
    if integration.manifest is None:
        raise Problem(422, "IntegrationInvalid", "The integration has no valid manifest")
    if instance is None:
        instance = Instance(center.new_id(), integration, f"push-{center.ids.hex_token(24)}", center.ids.token(48))
        center.instances[instance.id] = instance
    secret = center.ids.token(40)
    center.returns[secret] = instance.id
    fields = {"subdomain": center.subdomain, "locale": locale, "return_url": f"{center.base}{RETURN_PATH}{secret}"}
    if instance.saved:
        fields |= {"name": instance.name, "metadata": instance.metadata, "state": instance.state}
    if integration.manifest.push_client_id:
        fields |= {"instance_push_id": instance.push_id, "zendesk_access_token": instance.token}
    center.changed()
    return integration.manifest.urls["admin_ui"], fields


def frame_page(address: str, fields: dict[str, str]) -> Response:
    """The page of the Admin Center: it posts a form into a frame, where the service's page is another site's, without its cookies."""
    inputs = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>The channel</title>'
        "<style>html,body{height:100%;margin:0}iframe{display:block;width:100%;height:100%;border:0}</style>"
        '<iframe name="service" title="The channel\'s own page"></iframe>'
        f'<form id="go" method="post" action="{escape(address)}" target="service" hidden>{inputs}</form>'
        '<script>document.getElementById("go").submit()</script></html>'
    )
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(200, body.encode(), headers)


def returned(center: Center, secret: str, request: Request) -> Response:
    """The service's admin page has posted its form back: the account is saved and begins to work."""
    instance = center.instances.get(center.returns.get(secret, 0))
    if instance is None:
        raise Problem(404, "RecordNotFound", "This address is not, or no longer, waiting for an account")
    name, metadata, state = (request.form.get(each, "") for each in ("name", "metadata", "state"))
    wrong = [*shapes.text(1, NAME_LIMIT)("name", name), *shapes.text(0, shapes.METADATA_LIMIT)("metadata", metadata)]
    wrong += shapes.text(0, shapes.STATE_LIMIT)("state", state)
    if request.method != "POST" or wrong:
        raise Problem(422, "RecordInvalid", "The form is not complete", wrong)
    del center.returns[secret]
    fresh = not instance.saved
    instance.name, instance.metadata, instance.state, instance.saved = name, metadata, state, True
    if fresh:
        center.emit(instance.integration, "create_integration_instance", {"metadata": metadata})
    activate(center, instance)
    return Response(200, _SAVED.encode(), {"content-type": "text/html; charset=utf-8", "referrer-policy": "no-referrer"})


# --- activation and its end --------------------------------------------------------------------


def activate(center: Center, instance: Instance) -> None:
    """An admin saved the account: whatever had stopped it is forgotten, and it is pulled from now on."""
    was = instance.active
    instance.active, instance.deactivated_by, instance.deactivating_error = True, "", ""
    if not was:
        center.emit(instance.integration, "activate_integration_instance", {"metadata": instance.metadata})
    pulling.schedule(center, instance)
    center.changed()


def stop(center: Center, instance: Instance) -> None:
    """An admin switches the account off."""
    deactivate(center, instance, by="api")


def destroy_instance(center: Center, instance: Instance) -> None:
    """An admin removes the account. Its tickets stay."""
    instance.active, instance.next_pull, instance.revoked = False, None, True
    del center.instances[instance.id]
    center.emit(instance.integration, "destroy_integration_instance", {"metadata": instance.metadata})


def destroy(center: Center, integration: Integration) -> None:
    """The app is uninstalled: its accounts go with it."""
    for instance in [i for i in center.instances.values() if i.integration is integration]:
        destroy_instance(center, instance)
    center.emit(integration, "destroy_integration", {"manifest_url": integration.manifest_url})
    del center.integrations[integration.id]


def check_health(center: Center, integration: Integration) -> None:
    """Look at the service's health check once. How often Zendesk does, and what follows, is not documented."""
    url = integration.manifest.urls.get("healthcheck_url") if integration.manifest else None
    if not url:
        integration.health = "none"
        return

    def came(answer: Answer | None) -> None:
        integration.health = "well" if answer is not None and answer.code == 200 else "unwell"

    center.errands.put(SERVICE, "healthcheck", "GET", url, done=came, timeout=center.settings.manifest_timeout)
