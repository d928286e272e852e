"""Lets the control API act as a contact, in the same words for all services."""

from heliograph.sandbox.service import text
from heliograph.sandbox.wire import Json, Request
from heliograph.sandbox.world import Sandbox


def act(sandbox: Sandbox, action: str, body: Json, request: Request) -> Json:
    """Do `action` as the contact of `body["conversation"]`. Raises LookupError, ValueError."""
    service = sandbox.services.get(str(body.get("service", "sunshine")))
    if service is None:
        raise ValueError(f"service must be one of {', '.join(sandbox.services)}")
    if action not in service.acts:
        raise LookupError(f"no such action; there are {', '.join(sorted(service.acts))}")
    result = service.acts[action](text(body, "conversation"), body, request)
    return result if isinstance(result, dict) else {"done": result if result is not None else True}
