"""Which providers there are, by name."""

from collections.abc import Mapping

from heliograph.ports.http import Http
from heliograph.ports.provider import Provider, Timed
from heliograph.ports.runtime import Clock
from heliograph.providers.instagram import Instagram
from heliograph.providers.line import Line
from heliograph.providers.messenger import Messenger
from heliograph.providers.slack import Slack
from heliograph.providers.sunshine import Sunshine
from heliograph.providers.telegram import Telegram
from heliograph.providers.twilio import Twilio
from heliograph.providers.webhook import Webhook
from heliograph.providers.whatsapp import WhatsApp

PROVIDERS: dict[str, type[Provider]] = {
    "instagram": Instagram,
    "line": Line,
    "messenger": Messenger,
    "slack": Slack,
    "sunshine": Sunshine,
    "telegram": Telegram,
    "twilio": Twilio,
    "webhook": Webhook,
    "whatsapp": WhatsApp,
}


def configured(name: str, config: Mapping[str, str], http: Http, clock: Clock) -> Provider:
    """A provider, configured, and with the time where its requests carry it. Raises KeyError where there is none of this name."""
    provider = PROVIDERS[name](config, http)
    if isinstance(provider, Timed):
        provider.keep_time(clock)
    return provider
