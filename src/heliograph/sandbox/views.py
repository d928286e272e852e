"""What a contact's phone shows, of any service in one shape."""

from heliograph.sandbox.wire import Json
from heliograph.sandbox.world import Sandbox


def phones(sandbox: Sandbox) -> list[Json]:
    """Every conversation that somebody could open."""
    return [each for service in sandbox.services.values() for each in service.phones()]


def tabs(sandbox: Sandbox) -> list[Json]:
    """The services, in order."""
    return [{"service": service.name, "title": service.title} for service in sandbox.services.values()]


def phone(sandbox: Sandbox, service: str, conversation: str) -> Json:
    """One conversation as its contact sees it. Raises LookupError."""
    return sandbox.services[service].phone(conversation)
