"""What the collector needs from outside, named by role."""

from typing import Protocol


class Clock(Protocol):
    """The collector's clock. Hosts' clocks are claims, this one is what we record."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back; for waiting, never for records."""
        ...


class Entropy(Protocol):
    """A source of randomness that nobody can predict."""

    def __call__(self, count: int, /) -> bytes:
        """Return `count` random bytes."""
        ...
