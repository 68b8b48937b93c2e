"""Token buckets in whole numbers."""

from dataclasses import dataclass

_PART_MS = 60_000


@dataclass(slots=True)
class Bucket:
    """How much a sender may still send; refilled with time, never beyond its size.

    Attributes:
        size: most it may send at once.
        per_minute: refill; 0 means no limit at all.
    """

    size: int
    per_minute: int
    _parts: int = -1  # what is left, in 1/60,000; -1: full
    _at_ms: int = 0

    def take(self, now_ms: int, amount: int = 1) -> bool:
        """Take `amount` and tell whether there was as much."""
        if not self.per_minute:
            return True
        full = self.size * _PART_MS
        if self._parts < 0:
            self._parts = full
        else:
            gained = (now_ms - self._at_ms) * self.per_minute
            if gained > 0:
                self._parts = min(full, self._parts + gained)
        self._at_ms = max(now_ms, self._at_ms)
        if self._parts < amount * _PART_MS:
            return False
        self._parts -= amount * _PART_MS
        return True

    def wait_s(self) -> int:
        """Return after how many seconds there is one again."""
        return max(1, -(-(_PART_MS - self._parts) // (self.per_minute * 1000 or 1)))
