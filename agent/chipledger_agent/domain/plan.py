"""What the next token is: a full report with its cause, or a heartbeat."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a full report is due."""

    FIRST = "first"
    BOOT = "boot"
    CHANGE = "change"
    PERIOD = "period"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFull:
    """The newest full report that is spooled or acknowledged, in what decides about the next.

    Attributes:
        inv: stable digest it carried.
        bootseed: boot it was made in.
        iat_s: host clock when it was signed, Unix seconds.
    """

    inv: str
    bootseed: str
    iat_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastQuote:
    """The newest quote that is spooled: boot it was made in, and the host's clock then."""

    bootseed: str
    iat_s: int


def quote_due(last: LastQuote | None, *, now: LastQuote, period_s: int) -> bool:
    """Tell whether the next token must hold a quote: once a boot, and then every `period_s`."""
    if last is None or last.bootseed != now.bootseed:
        return True
    return not 0 <= now.iat_s - last.iat_s < period_s


def full_cause(
    last: LastFull | None, *, now: LastFull, period_s: int, requested: bool
) -> Cause | None:
    """Return why the next token must be a full report, or ``None`` for a heartbeat.

    Args:
        last: the newest full report, ``None`` when none is known to be good.
        now: what a full report made now would carry.
        period_s: a full report at least this often.
        requested: the collector asked for one, or refused the last.
    """
    if requested:
        return Cause.REQUEST
    if last is None:
        return Cause.FIRST
    if last.bootseed != now.bootseed:
        return Cause.BOOT
    if last.inv != now.inv:
        return Cause.CHANGE
    # A clock set back would otherwise put the daily report off for as long as it was wrong.
    if not 0 <= now.iat_s - last.iat_s < period_s:
        return Cause.PERIOD
    return None
