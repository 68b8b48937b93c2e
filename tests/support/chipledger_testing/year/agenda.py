"""What happens when: acts in the order of their time, each of which may bring others about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from chipledger_book.timers import DAY_MS, HOUR_MS
from chipledger_testing.year.world import World

Act = Callable[[int], None]


@dataclass(kw_only=True)
class Agenda:
    """Acts that wait for their time.

    Attributes:
        world: what they change.
        rng: their chance.
    """

    world: World
    rng: Random
    _waiting: list[tuple[int, int, Act]] = field(default_factory=list)
    _number: int = 0

    def at(self, at_ms: int, act: Act) -> None:
        """Let something happen at a time."""
        self._number += 1
        heappush(self._waiting, (at_ms, self._number, act))

    def run(self) -> None:
        """Let everything happen."""
        while self._waiting:
            at_ms, _, act = heappop(self._waiting)
            act(at_ms)

    def days(self, least: int, most: int) -> int:
        """Return between so many and so many days, in milliseconds, to the hour."""
        return self.rng.randint(least * 24, most * 24) * HOUR_MS

    def clerk_ms(self) -> int:
        """Return how long after something happened somebody enters it.

        Of two hundred papers one lies for weeks.
        """
        chance = self.rng.randrange(1000)
        if chance < 700:
            return self.days(0, 2)
        if chance < 940:
            return self.days(2, 6)
        if chance < 995:
            return self.days(6, 12)
        return self.days(15, 35)

    def likely(self, percent: int) -> bool:
        """Tell whether something of a likelihood happens."""
        return self.rng.randrange(100) < percent


def day_ms(number: int) -> int:
    """Return a number of days in milliseconds."""
    return number * DAY_MS
