"""What a contact's phone shows, of any service in one shape."""

from heliograph.sandbox.faults import REFUSE_LATER
from heliograph.sandbox.wire import Json
from heliograph.sandbox.world import Sandbox


def phones(sandbox: Sandbox) -> list[Json]:
    """Every conversation that somebody could open."""
    return [each for service in sandbox.services.values() for each in service.phones()]


def tabs(sandbox: Sandbox) -> list[Json]:
    """The services, in order, and the faults that not all of them have."""
    return [
        {
            "service": name,
            "title": service.title,
            "refuses_later": name in REFUSE_LATER,
            "bots": name == "sunshine",
        }
        for name, service in sandbox.services.items()
    ]


def phone(sandbox: Sandbox, service: str, conversation: str) -> Json:
    """One conversation as its contact sees it. Raises LookupError."""
    return sandbox.services[service].phone(conversation)
