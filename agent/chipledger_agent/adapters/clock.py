"""The machine's own clocks."""

import time


class SystemClock:
    """Wall clock and monotonic clock of the kernel."""

    def now_s(self) -> int:
        """Return Unix seconds."""
        return int(time.time())

    def monotonic_ms(self) -> int:
        """Return milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds of the monotonic clock, for deadlines of child processes."""
        return time.monotonic()

    def pause_ms(self, milliseconds: int) -> None:
        """Wait so long."""
        time.sleep(milliseconds / 1000)
