"""Results as people read them."""

import pytest

from chipledger_agent.cli.show import moment

NOON_S = 1_790_337_600


@pytest.mark.parametrize(
    ("later_s", "age"),
    [
        (0, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3_600, "1 h 0 min ago"),
        (86_399, "23 h 59 min ago"),
        (86_400 * 3 + 7_200, "3 d 2 h ago"),
        (-5, "5 s ahead of this clock"),
    ],
)
def test_a_moment_is_told_in_utc_and_by_its_age(later_s: int, age: str) -> None:
    """Nobody reads Unix seconds."""
    assert moment(NOON_S, now_s=NOON_S + later_s) == f"2026-09-25T12:00:00Z ({age})"


def test_what_never_was_has_no_moment() -> None:
    """Zero is not 1970."""
    assert moment(0, now_s=NOON_S) == "never"
