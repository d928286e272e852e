"""Asks one channel for news, round after round, while it is this process's turn; whoever refuses is not hammered."""

from heliograph.domain.outcomes import CheckResult, Valid
from heliograph.domain.reasons import Reason
from heliograph.ports import rows
from heliograph.ports.store import Conflict, Unavailable
from heliograph.services import catch_up
from heliograph.services.context import Context

#: Seconds until a round that failed is made again, doubling from the first to the second.
PAUSE, LONGEST_PAUSE = 1.0, 8.0
#: The second where the service will not be polled: a webhook is set there, or somebody else polls. People end that, not patience.
REFUSED_PAUSE = 60.0
#: Seconds until a process whose turn it is not asks again whether it is.
TURN = 5.0


class Poller:
    """One channel's polling in one process. What goes wrong is told when it begins, when it changes, and when it is over."""

    def __init__(self, context: Context, channel: rows.Channel) -> None:
        self._context = context
        self._channel = channel
        self._failures = 0
        self._told: tuple[str, str] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = await self._round()
            if pause:
                await self._context.clock.sleep(pause)

    async def _round(self) -> float:
        """One round; returns the seconds until the next."""
        try:
            if not await self._context.store.take_turn(self._channel.id):
                return TURN
            result = await catch_up.poll(self._context, self._channel)
        except (Unavailable, Conflict) as passing:
            self._context.observe("round_failed", {"error": type(passing).__name__})
            return self._again(LONGEST_PAUSE)
        except Exception as bug:
            # Without a pause a round that raises would keep everything else from running.
            self._context.observe("round_bug", {"error": type(bug).__name__})
            return self._again(LONGEST_PAUSE)
        if isinstance(result, int):
            self._well()
            return 0.0
        return self._ill(result)

    def _again(self, longest: float) -> float:
        self._failures += 1
        return float(min(PAUSE * 2 ** min(self._failures - 1, 16), longest))

    def _well(self) -> None:
        self._failures = 0
        if self._told is not None:
            self._told = None
            self._context.observe("poll_resumed", {"provider": self._channel.provider, "channel": self._channel.id})

    def _ill(self, result: CheckResult) -> float:
        reason, code = (Reason.OTHER, "") if isinstance(result, Valid) else (result.reason, result.code)
        fields = {"provider": self._channel.provider, "channel": self._channel.id, "reason": reason.value, "code": code}
        self._context.observe("poll_failed", fields)
        if self._told != (reason, code):
            self._told = (reason, code)
            self._context.observe("poll_stopped", fields)
        return self._again(REFUSED_PAUSE if reason is Reason.NOT_PERMITTED else LONGEST_PAUSE)
