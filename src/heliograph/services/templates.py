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
        self._known: dict[tuple[str, str], tuple[int, list[Template]]] = {}

    async def of(self, connected: Connected, *, now: int) -> list[Template]:
        """All that can be sent on the channel; none where the provider has no such thing. Raises PollFailed."""
        if "templates" not in connected.spec.capabilities:
            return []
        key = (connected.channel.id, connected.version)
        known = self._known.get(key)
        if known is None or now - known[0] > FRESH:
            known = (now, await cast("HasTemplates", connected.provider).templates())
            self._known[key] = known
        return known[1]

    async def filled(self, connected: Connected, name: str, language: str, values: Sequence[str], *, now: int) -> Rich:
        """The content to reply with. Raises Unsupported where there is no such template or a value is unfit, and PollFailed."""
        for template in await self.of(connected, now=now):
            if (template.name, template.language) == (name, language):
                return cast("HasTemplates", connected.provider).fill(template, values)
        raise Unsupported("there is no such template any more; choose again")
