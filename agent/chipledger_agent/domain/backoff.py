"""How long to leave the collector alone after it could not be reached.

Full jitter *after* the cap: after an outage thousands of hosts sit at the cap, and only
jitter taken after it spreads them.
"""

from collections.abc import Callable

BASE_S = 5
CAP_S = 600
MAX_RETRY_AFTER_S = 24 * 3600
"""A longer `Retry-After` is taken for a mistake: silence is a finding against this host."""


def retry_delay_s(attempt: int, *, below: Callable[[int], int], retry_after_s: int | None) -> int:
    """Return the seconds to wait after failure number `attempt` (1, 2, ...), at least 1.

    Args:
        attempt: failures in a row, this one included.
        below: random integer source; ``below(n)`` is uniform in 0 to n - 1.
        retry_after_s: what the collector asked for; obeyed in full, jitter comes on top.
    """
    ceiling = min(CAP_S, BASE_S << min(attempt - 1, 16))
    asked = min(max(retry_after_s or 0, 0), MAX_RETRY_AFTER_S)
    return max(1, asked + below(ceiling + 1))
