"""A faithful Zendesk of our own: its Channel Framework, as much of its ticket API as clients read, and a page for its agents."""

from heliograph.sandbox.zendesk.center import Center, Settings
from heliograph.sandbox.zendesk.service import Zendesk

__all__ = ["Center", "Settings", "Zendesk"]
