"""Tells systemd how a service of Type=notify is: one datagram, where the environment names the socket for it."""

import os
import socket
from collections.abc import Mapping


class Notify:
    """Says nothing where nobody asked. `interval`: seconds between the signs of life that the watchdog wants, 0 for none."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        wanted = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.interval = int(wanted) / 2_000_000 if wanted.isdigit() and ours and self._address else 0.0

    def ready(self) -> None:
        """The service is up."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """It ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """It turns."""
        self._tell("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """The start takes so much longer."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the kernel's own space.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            try:
                out.sendto(text.encode(), address)
            except OSError:
                return
