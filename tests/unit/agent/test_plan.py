"""When a full report is due."""

from dataclasses import replace

from chipledger_agent.domain.plan import Cause, LastFull, full_cause

LAST = LastFull(inv="i" * 43, bootseed="b" * 43, iat_s=1_000_000)


def cause(now: LastFull, *, last: LastFull | None = LAST, requested: bool = False) -> Cause | None:
    """Return the cause with a period of a day."""
    return full_cause(last, now=now, period_s=86_400, requested=requested)


def test_an_unchanged_host_sends_heartbeats() -> None:
    """Same inventory, same boot, within the day."""
    assert cause(replace(LAST, iat_s=1_086_399)) is None


def test_the_first_report_is_full() -> None:
    """The collector cannot know the digest."""
    assert cause(LAST, last=None) is Cause.FIRST


def test_a_changed_inventory_is_reported_in_full() -> None:
    """The digest alone would say that something changed, not what."""
    assert cause(replace(LAST, inv="j" * 43)) is Cause.CHANGE


def test_every_boot_is_reported_in_full() -> None:
    """Also when nothing else changed."""
    assert cause(replace(LAST, bootseed="c" * 43)) is Cause.BOOT


def test_a_full_report_comes_every_period() -> None:
    """The end of the period counts as past."""
    assert cause(replace(LAST, iat_s=1_086_400)) is Cause.PERIOD


def test_a_clock_set_back_does_not_put_the_daily_report_off() -> None:
    """A time before the last report proves a wrong clock, now or then."""
    assert cause(replace(LAST, iat_s=999_999)) is Cause.PERIOD


def test_a_request_is_answered_at_once() -> None:
    """Whatever else holds."""
    assert cause(LAST, requested=True) is Cause.REQUEST
