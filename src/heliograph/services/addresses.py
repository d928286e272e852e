"""Where this installation is reached from outside: by webhooks, and by providers that fetch files themselves."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from heliograph.domain.content import Media
from heliograph.domain.retry import SECOND

#: For how long an address of a file is good. Providers fetch within minutes; a desk may show the file's link for longer.
LIFE = 7 * 86_400 * SECOND
MAC = 24
#: Left out of a name in an address: whoever fetches the file sees the name, and some take it for a path.
UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Opened(NamedTuple):
    """What an address of a file stands for."""

    key: str
    media_type: str
    #: Microseconds until which it is good.
    until: int


@dataclass(frozen=True, slots=True)
class Addresses:
    """`base` is the public address, "" where there is none; `secret` makes addresses of files that nobody can guess."""

    base: str
    secret: bytes = field(repr=False)

    def webhook(self, provider: str, channel: str) -> str:
        """The address of a channel's webhook; "" where nobody outside reaches us."""
        return f"{self.base}/hooks/{provider}/{channel}" if self.base else ""

    def file(self, media: Media, *, now: int) -> str:
        """Where anybody who has the address can read a file of our store, for a while; "" where nobody outside reaches us."""
        if not self.base or media.file is None:
            return ""
        # Rounded, so that an attempt that is repeated repeats the same request.
        until = (now // LIFE + 2) * LIFE
        told = msgspec.json.encode(Opened(media.file, media.media_type, until))
        token = base64.urlsafe_b64encode(self._mac(told) + told).decode("ascii").rstrip("=")
        return f"{self.base}/files/{token}/{UNFIT.sub('_', media.name)[-60:] or 'file'}"

    def opened(self, token: str, *, now: int) -> Opened | None:
        """What a token of ours stands for, or None."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if not hmac.compare_digest(raw[:MAC], self._mac(raw[MAC:])):
            return None
        opened = msgspec.json.decode(raw[MAC:], type=Opened)
        return opened if now < opened.until else None

    def _mac(self, told: bytes) -> bytes:
        return hmac.new(self.secret, b"file address" + told, hashlib.sha256).digest()[:MAC]
