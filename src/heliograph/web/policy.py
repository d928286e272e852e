"""Who may call what: every route of ours, by name. What is not listed is refused."""

from collections.abc import Mapping
from enum import StrEnum

#: Each includes those before it.
SCOPES = ("read", "write", "admin")


class Need(StrEnum):
    """What a route asks for."""

    #: Nobody is identified: vitals, webhooks (which prove themselves), static files.
    OPEN = "open"
    #: Who asks is identified if possible, and the handler decides: a login page.
    ANYBODY = "anybody"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    #: Not an account's: who runs the installation.
    OPERATOR = "operator"


API = "/api/v1"

POLICY: dict[tuple[str, str], Need] = {
    ("GET", f"{API}/me"): Need.READ,
    ("GET", f"{API}/tickets"): Need.READ,
    ("GET", f"{API}/tickets/{{ticket}}"): Need.READ,
    ("POST", f"{API}/tickets/{{ticket}}/solve"): Need.WRITE,
    ("POST", f"{API}/tickets/{{ticket}}/reopen"): Need.WRITE,
    ("GET", f"{API}/tickets/{{ticket}}/comments"): Need.READ,
    ("POST", f"{API}/tickets/{{ticket}}/comments"): Need.WRITE,
    ("GET", f"{API}/tickets/{{ticket}}/events"): Need.READ,
    ("GET", f"{API}/events"): Need.READ,
    ("GET", f"{API}/deliveries"): Need.READ,
    ("GET", f"{API}/deliveries/{{delivery}}"): Need.READ,
    ("POST", f"{API}/deliveries/{{delivery}}/decide"): Need.WRITE,
    ("POST", f"{API}/deliveries/{{delivery}}/resend"): Need.WRITE,
    ("POST", f"{API}/deliveries/{{delivery}}/mark_sent"): Need.WRITE,
    ("POST", f"{API}/deliveries/{{delivery}}/cancel"): Need.WRITE,
    ("GET", f"{API}/providers"): Need.READ,
    ("GET", f"{API}/channels"): Need.READ,
    ("POST", f"{API}/channels"): Need.ADMIN,
    ("GET", f"{API}/channels/{{channel}}"): Need.READ,
    ("PATCH", f"{API}/channels/{{channel}}"): Need.ADMIN,
    ("POST", f"{API}/channels/{{channel}}/check"): Need.WRITE,
    ("POST", f"{API}/channels/{{channel}}/enable"): Need.ADMIN,
    ("POST", f"{API}/channels/{{channel}}/disable"): Need.ADMIN,
    ("POST", f"{API}/files"): Need.WRITE,
    ("GET", f"{API}/files/{{file}}"): Need.READ,
    ("GET", f"{API}/files/{{file}}/content"): Need.READ,
    ("GET", f"{API}/agents"): Need.READ,
    ("GET", f"{API}/tokens"): Need.ADMIN,
    ("POST", f"{API}/tokens"): Need.ADMIN,
    ("DELETE", f"{API}/tokens/{{token}}"): Need.ADMIN,
    ("GET", f"{API}/openapi.json"): Need.OPEN,
    ("GET", f"{API}/docs"): Need.OPEN,
    ("GET", API): Need.OPEN,
    ("GET", "/hooks/{provider}/{channel}"): Need.OPEN,
    ("POST", "/hooks/{provider}/{channel}"): Need.OPEN,
    ("GET", "/files/{token}/{name}"): Need.OPEN,
    ("POST", "/files/{token}/{name}"): Need.OPEN,
    ("GET", "/zendesk/service/{key}/manifest.json"): Need.OPEN,
    ("POST", "/zendesk/service/{key}/channelback"): Need.OPEN,
    ("POST", "/zendesk/service/{key}/pull"): Need.OPEN,
    ("POST", "/zendesk/service/{key}/events"): Need.OPEN,
    ("GET", "/zendesk/clickthrough"): Need.OPEN,
    ("GET", "/zendesk/health"): Need.OPEN,
    ("GET", "/zendesk/app/notices"): Need.OPEN,
    ("POST", "/zendesk/admin"): Need.OPEN,
    ("GET", "/livez"): Need.OPEN,
    ("GET", "/readyz"): Need.OPEN,
    ("GET", "/startupz"): Need.OPEN,
    ("GET", "/metrics"): Need.OPEN,
}


def need_of(method: str, path: str, options: Mapping[str, object]) -> Need | None:
    """What a route asks for. Ours stand in the table; others name it on the handler: `opt={"need": Need.READ}`."""
    named = options.get("need")
    return named if isinstance(named, Need) else POLICY.get(("GET" if method == "HEAD" else method, path))
