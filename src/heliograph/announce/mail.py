"""Mail, through an SMTP server."""

import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from heliograph.ports.announce import NotTold
from heliograph.ports.runtime import Clock

PORTS = {"smtp": 25, "smtps": 465}


class _Whole(EmailPolicy):
    """As SMTP wants it, and List-… headers whole: of a link longer than a line the library would make encoded words, which mail programs
    do not take for a link.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header as bytes."""
        if name.lower().startswith("list-") and value.isascii():
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Whole(linesep="\r\n")


class SmtpMail:
    """Sends through `url`: smtp://user:password@host:587 (encrypted if the server offers it), smtps://host (encrypted from the start),
    smtp://host?tls=required (never in the clear) or ?tls=never. `sender` is the From address.

    Raises ValueError for an address that is neither.
    """

    def __init__(self, url: str, sender: str, clock: Clock, *, timeout: float = 15.0, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        tls = parse_qs(parts.query).get("tls", ["offered"])[0]
        if parts.scheme not in PORTS or not parts.hostname or tls not in ("offered", "required", "never"):
            raise ValueError("smtp_url is smtp(s)://user:password@host:port, with ?tls=required or ?tls=never where wanted")
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("mail_from is an address such as heliograph@example.org")
        self._host, self._port = parts.hostname, parts.port or PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._from_the_start = parts.scheme == "smtps"
        self._start_tls = {"offered": None, "required": True, "never": False}[tls] if not self._from_the_start else False
        self._sender, self._clock, self._timeout, self._context = sender, clock, timeout, context

    def __repr__(self) -> str:
        return "SmtpMail(…)"

    async def mail(self, to: str, subject: str, text: str, html: str, headers: Mapping[str, str]) -> None:
        """One mail to one address. Raises NotTold; final where the server refuses the address or the mail for good."""
        try:
            await aiosmtplib.send(
                self._message(to, subject, text, html, headers).as_bytes(policy=_POLICY), sender=parseaddr(self._sender)[1],
                recipients=[to], hostname=self._host, port=self._port,
                username=self._user or None, password=self._password or None, use_tls=self._from_the_start, start_tls=self._start_tls,
                tls_context=self._context, timeout=self._timeout,
            )  # fmt: skip
        except aiosmtplib.SMTPRecipientsRefused as refused:
            final = all(one.code >= 500 for one in refused.recipients)
            raise NotTold("the server refused the address", final=final) from None
        except aiosmtplib.SMTPAuthenticationError:
            raise NotTold("the server refused our sign-in") from None
        except aiosmtplib.SMTPResponseException as refused:
            raise NotTold(f"the server answered {refused.code}", final=refused.code >= 550) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as broken:
            raise NotTold(f"the server could not be used: {type(broken).__name__}") from None

    def _message(self, to: str, subject: str, text: str, html: str, headers: Mapping[str, str]) -> EmailMessage:
        message = EmailMessage()
        # First: it takes headers that speak of the content away.
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
        try:
            message["From"], message["To"], message["Subject"] = self._sender, to, subject
            message["Date"] = formatdate(self._clock.now() / 1_000_000)
            # A mail that may be repeated brings its own, by which mailboxes know it again.
            fresh = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2])
            for name, value in ({"Message-ID": fresh} | dict(headers)).items():
                message[name] = value
            # What is written as an encoded word is read as something else, such as two addresses.
            if [one.addr_spec for one in message["To"].addresses] != [to]:
                raise ValueError("To")
        except ValueError:
            # A line break in a header would let its author write headers of their own.
            raise NotTold("not an address, or not a header", final=True) from None
        return message
