"""The ways to people and machines outside, as the operator has set them; each that is not set is None."""

from dataclasses import dataclass, field

from heliograph.announce.calls import Alertmanager, Calls, Pulse
from heliograph.announce.mail import SmtpMail
from heliograph.announce.rooms import Rooms
from heliograph.bootstrap.settings import Settings
from heliograph.ports.runtime import Clock


@dataclass(frozen=True, slots=True)
class Ways:
    """What of the settings says whom to tell, and where we are reached ourselves. Most of it is secret."""

    #: Apprise addresses.
    operators: tuple[str, ...] = field(default=(), repr=False)
    announcements: tuple[str, ...] = field(default=(), repr=False)
    alertmanager_url: str = field(default="", repr=False)
    heartbeat_url: str = field(default="", repr=False)
    smtp_url: str = field(default="", repr=False)
    mail_from: str = ""
    #: Where people reach this installation, "" unknown: nothing then links to it.
    url: str = ""
    #: What the public status page calls the installation, and the folder that it is also written to, "" for none.
    status_name: str = "Heliograph"
    status_export: str = ""
    #: Of Zendesk's OAuth client for pushing, "" for none.
    zendesk_client: str = ""


def ways(settings: Settings) -> Ways:
    """From the settings."""
    return Ways(
        tuple(settings.operators.split()), tuple(settings.announcements.split()), settings.alertmanager_url, settings.heartbeat_url,
        settings.smtp_url, settings.mail_from, settings.public_url.rstrip("/"), settings.status_name, settings.status_export,
        settings.zendesk_client,
    )  # fmt: skip


@dataclass(slots=True)
class Outside:
    """The adapters. Nothing is connected before it is used."""

    ways: Ways
    rooms: Rooms
    mail: SmtpMail | None
    alerts: Alertmanager | None
    pulse: Pulse | None
    _calls: Calls

    async def close(self) -> None:
        """Let go."""
        await self.rooms.close()
        await self._calls.close()


def reach(ways: Ways, clock: Clock) -> Outside:
    """Put them together. Raises ValueError for a mail server or sender that is none."""
    calls = Calls()
    return Outside(
        ways,
        Rooms(),
        SmtpMail(ways.smtp_url, ways.mail_from, clock) if ways.smtp_url else None,
        Alertmanager(ways.alertmanager_url, calls) if ways.alertmanager_url else None,
        Pulse(ways.heartbeat_url, calls) if ways.heartbeat_url else None,
        calls,
    )
