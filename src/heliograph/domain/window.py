"""How many calls may be under way at once where answers stay out: opened by answers, closed by silence. Pure; times in microseconds."""

from dataclasses import dataclass

#: Calls under way at the beginning, before anything was answered.
START = 16
#: What silence leaves.
FLOOR = 2
#: Microseconds for which an answer speaks of now: less than those after which calls leave the pool (services.bulkheads), so that what
#: begins to hang fills it once at most.
FRESH = 500_000


@dataclass(slots=True)
class Window:
    """Of one channel, or of one place at which a provider is reached. `most`: as far as answers open it."""

    most: int
    size: float = START
    under_way: int = 0
    #: When the last answer came.
    answered_at: int = 0

    def __post_init__(self) -> None:
        self.size = min(self.size, self.most)

    def left(self, now: int) -> int:
        """How many more calls may start. Where the last answer is a while ago, no more than at the beginning: it may be gone."""
        size = self.size if now - self.answered_at <= FRESH else min(self.size, START)
        return max(int(size) - self.under_way, 0)

    def answered(self, now: int) -> None:
        """A call brought an answer, whatever it says.

        The window opens by one, as in TCP's slow start, where it is nearly used up or narrower than at the beginning.
        """
        self.answered_at = now
        if self.size < self.most and (self.under_way * 2 >= self.size or self.size < START):
            self.size = min(self.size + 1, self.most)

    def silent(self, started_at: int) -> None:
        """A call ended without an answer. Where others were answered since it began, it speaks of itself alone."""
        if self.answered_at < started_at:
            self.size = max(self.size / 2, min(FLOOR, self.most))
