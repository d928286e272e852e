"""A connector in the style of 2020, to be compared with: one call for each reply, and an error in a list where that fails."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout

#: Its two settings, as a deploy names them.
KEY_ID, KEY_SECRET = "KEY_ID", "KEY_SECRET"
#: Seconds for one call.
PATIENCE = 10.0


class Failed(NamedTuple):
    """What it has to say of a reply that did not get through: in which conversation, and the answer's code (0: no answer)."""

    conversation: str
    code: int


@dataclass(slots=True)
class PlainConnector:
    """Sends what agents write to conversations of one app. `url` is the service's, to be used with /v2/… appended.

    It does what it is told, at once and once: it does not try its settings before it works with them, it keeps nothing that it could send
    again, and it calls no one.
    """

    url: str
    app_id: str
    settings: Mapping[str, str] = field(repr=False)
    #: Where an agent would find out, for each ticket by itself.
    errors: list[Failed] = field(default_factory=list)
    calls: int = 0
    _session: ClientSession | None = field(default=None, repr=False)

    def restart(self, settings: Mapping[str, str]) -> None:
        """A deploy: it works with these from now on."""
        self.settings = settings

    async def reply(self, conversation: str, text: str) -> None:
        """Hand a reply over. Whether that worked is in `errors`."""
        if self._session is None:
            self._session = ClientSession(trust_env=False, timeout=ClientTimeout(total=PATIENCE))
        self.calls += 1
        credentials = b64encode(f"{self.settings[KEY_ID]}:{self.settings[KEY_SECRET]}".encode()).decode()
        try:
            async with self._session.post(
                f"{self.url}/v2/apps/{self.app_id}/conversations/{conversation}/messages",
                json={"author": {"type": "business"}, "content": {"type": "text", "text": text}},
                headers={"authorization": f"Basic {credentials}"},
            ) as answer:
                await answer.read()
                if not answer.ok:
                    self.errors.append(Failed(conversation, answer.status))
        except (ClientError, OSError, TimeoutError):
            self.errors.append(Failed(conversation, 0))

    async def close(self) -> None:
        """End."""
        if self._session is not None:
            await self._session.close()
