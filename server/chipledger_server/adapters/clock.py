"""The machine's clock."""

import time


class SystemClock:
    """Unix time and monotonic time of this machine."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
