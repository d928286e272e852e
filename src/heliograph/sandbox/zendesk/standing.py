"""Ends the work of an integration account until an admin saves it again."""

from heliograph.sandbox.wire import Json
from heliograph.sandbox.zendesk.center import Center
from heliograph.sandbox.zendesk.state import Instance


def deactivate(center: Center, instance: Instance, *, by: str, error: str = "") -> None:
    """No pulls, no channelbacks, no pushes from now on. `by`: "error" or "api"."""
    if not instance.active:
        return
    instance.active, instance.deactivated_by, instance.deactivating_error, instance.next_pull = False, by, error, None
    data: Json = {"metadata": instance.metadata, "deactivated_by": by, **({"deactivating_error": error} if error else {})}
    center.emit(instance.integration, "deactivate_integration_instance", data)
    center.changed()
