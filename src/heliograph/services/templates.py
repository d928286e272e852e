"""Messages that a provider has approved beforehand: which a channel has, and one of them filled in."""

from collections.abc import Sequence
from typing import cast

from heliograph.domain.content import Rich
from heliograph.domain.retry import SECOND
from heliograph.ports.provider import HasTemplates, Template, Unsupported
from heliograph.services.channels import Connected

#: Microseconds for which a list is good: approvals come and go in hours, and asking costs one of few calls.
FRESH = 300 * SECOND


class Templates:
    """Asks each channel's provider, and remembers for a while; one per process."""

    def __init__(self) -> None:
        #: Channel -> version of its credential, when it was asked, and what it has.
        self._known: dict[str, tuple[str, int, list[Template]]] = {}

    async def of(self, connected: Connected, *, now: int) -> list[Template]:
        """All that can be sent on the channel; none where the provider has no such thing. Raises PollFailed."""
        if "templates" not in connected.spec.capabilities:
            return []
        known = self._known.get(connected.channel.id)
        if known is None or known[0] != connected.version or now - known[1] > FRESH:
            known = (connected.version, now, await cast("HasTemplates", connected.provider).templates())
            self._known[connected.channel.id] = known
        return known[2]

    async def filled(self, connected: Connected, name: str, language: str, values: Sequence[str], *, now: int) -> Rich:
        """The content to reply with. Raises Unsupported where there is no such template or a value is unfit, and PollFailed."""
        for template in await self.of(connected, now=now):
            if (template.name, template.language) == (name, language):
                return cast("HasTemplates", connected.provider).fill(template, values)
        raise Unsupported("there is no such template any more; choose again")
