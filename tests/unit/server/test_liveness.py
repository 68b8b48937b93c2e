"""Silence counts only the time in which somebody was there to listen."""

from chipledger_server.domain.liveness import is_mass, look, most_within, unseen_ms


def test_downtime_is_left_out() -> None:
    """What the collector slept through is no silence."""
    assert unseen_ms(0, 100, [(10, 30), (90, 200)]) == 70
    assert unseen_ms(50, 100, [(0, 60), (100, 120)]) == 40


def test_a_host_within_its_limit_is_looked_at_again_when_it_may_be_silent() -> None:
    """The timer is set to the first moment at which the verdict can change."""
    found = look(1000, now_ms=1500, limit_ms=1000, downtime=[(1200, 1300)])
    assert not found.silent
    assert look(1000, now_ms=found.again_ms, limit_ms=1000, downtime=[(1200, 1300)]).silent
    assert not look(1000, now_ms=found.again_ms - 1, limit_ms=1000, downtime=[(1200, 1300)]).silent


def test_most_within_finds_the_fullest_window() -> None:
    """Order does not matter, both ends count."""
    assert most_within([100, 0, 50, 300, 350, 360, 390], 90) == 4
    assert most_within([], 90) == 0


def test_one_host_alone_is_never_mass_silence() -> None:
    """A site of three hosts with one in repair is no event."""
    assert not is_mass(1, 3, percent=10)
    assert is_mass(2, 20, percent=10)
    assert not is_mass(2, 21, percent=10)
