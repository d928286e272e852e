"""A faithful Sunshine Conversations API v2 of our own."""

from heliograph.sandbox.sunshine.center import Center
from heliograph.sandbox.sunshine.service import Sunshine

__all__ = ["Center", "Sunshine"]
