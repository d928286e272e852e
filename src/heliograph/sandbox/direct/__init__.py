"""The simulated messaging services that share one frame, by name."""

from heliograph.sandbox.direct.instagram import Instagram
from heliograph.sandbox.direct.line import Line
from heliograph.sandbox.direct.messenger import Messenger
from heliograph.sandbox.direct.service import DirectService
from heliograph.sandbox.direct.slack import Slack
from heliograph.sandbox.direct.twilio import Twilio
from heliograph.sandbox.direct.webhook import Webhook
from heliograph.sandbox.direct.whatsapp import WhatsApp

__all__ = ["DIRECT", "DirectService"]

DIRECT: tuple[type[DirectService], ...] = (WhatsApp, Messenger, Instagram, Line, Twilio, Slack, Webhook)
