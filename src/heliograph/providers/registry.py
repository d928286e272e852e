"""Which providers there are, by name."""

from heliograph.ports.provider import Provider
from heliograph.providers.instagram import Instagram
from heliograph.providers.line import Line
from heliograph.providers.messenger import Messenger
from heliograph.providers.slack import Slack
from heliograph.providers.sunshine import Sunshine
from heliograph.providers.telegram import Telegram
from heliograph.providers.twilio import Twilio
from heliograph.providers.whatsapp import WhatsApp

PROVIDERS: dict[str, type[Provider]] = {
    "instagram": Instagram,
    "line": Line,
    "messenger": Messenger,
    "slack": Slack,
    "sunshine": Sunshine,
    "telegram": Telegram,
    "twilio": Twilio,
    "whatsapp": WhatsApp,
}
