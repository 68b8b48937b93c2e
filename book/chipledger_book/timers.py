"""Timers, thresholds and severities of what is watched: dated data, proposed by Chipledger.

A timer says how long a step may wait for somebody. A threshold is any other number that a
detector needs. A severity says from which effect on the balance, in TPP of controlled chips, a
kind of finding weighs how much. Changing one is a new row, and no code.
"""

from collections.abc import Hashable, Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.tables import Table, in_force_on, overlap
from chipledger_book.terms import MAX_INTEGER, Force, Name, Record, Severity, Text

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS

_Limit = Annotated[int, msgspec.Meta(ge=0, le=36_525)]
_Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]


class Timer(StrEnum):
    """What is waited for, each with its limit in the table."""

    RECEIPT = "receipt"  # a declared shipment is received
    DIFFERENCE = "difference"  # a difference on receipt is settled
    ATTESTATION = "attestation"  # what arrived attests for the first time
    TRANSFER = "transfer"  # what left for another site arrives there
    EXPORT = "export"  # whom chips were shipped to says so
    RMA_CONFIRMATION = "rma-confirmation"  # the vendor says that it has them
    RMA_ESCALATION = "rma-escalation"  # after which an open RMA weighs as much as a missing chip
    RMA_RETURN = "rma-return"  # repaired or replacement chips arrive
    SEAL_CHECK = "seal-check"  # somebody looks at a seal
    STORAGE = "storage"  # stock under seal is used or sent on
    MOVE = "move"  # the operator confirms a move
    EVIDENCE = "evidence"  # the paper of a disposal is there
    NOTICE = "notice"  # an authority is told of what is lost
    MAINTENANCE = "maintenance"  # one window ends
    ABSENCE = "absence"  # a chip that no longer answers comes back or is explained
    OVERAGE = "overage"  # papers come for a chip that nobody booked
    ELSEWHERE = "elsewhere"  # papers come for a chip that answers at another site
    DEPARTURE = "departure"  # what left on paper stops answering
    EXTERNAL = "external"  # the ledger has what an outsider recorded
    RECORDING = "recording"  # an event is entered
    LICENCE_WARNING = "licence-warning"  # before a licence ends
    INSPECTION = "inspection"  # days around an inspection that borrowed chips would show
    STRUCTURING = "structuring"  # within which shipments are looked at together
    ESCALATION = "escalation"  # after which what lasts weighs more
    ACKNOWLEDGEMENT = "acknowledgement"  # a case is acknowledged
    EXPLANATION = "explanation"  # a case is explained


class Threshold(StrEnum):
    """Numbers of detectors that are no time. ``ppm``: millionths."""

    CAP_NEAR = "cap-near-ppm"
    STRUCTURING_NEAR = "structuring-near-ppm"
    STRUCTURING_CONSIGNEES = "structuring-consignees"
    STRUCTURING_SHIPMENTS = "structuring-shipments"
    RMA_RATE = "rma-rate-ppm"
    RMA_BAND = "rma-band-ppm"
    RMA_WIDE_BAND = "rma-wide-band-ppm"
    MAINTENANCE_HOURS = "maintenance-hours"


class Dated(Record, frozen=True, kw_only=True):
    """Base of every row: where it comes from, and from when to when it holds (UTC days)."""

    source: Text
    status: Force
    valid_from: date
    valid_to: date | None = None


class TimerRow(Dated, frozen=True, kw_only=True):
    """How long one timer runs: exactly one of days, hours and business days.

    Attributes:
        timer: which.
        days: of 24 hours.
        hours: hours.
        business_days: Monday to Friday, UTC; the end is at the same time of day.
    """

    timer: Timer
    days: _Limit | None = None
    hours: _Limit | None = None
    business_days: _Limit | None = None


class ThresholdRow(Dated, frozen=True, kw_only=True):
    """One number that a detector needs."""

    threshold: Threshold
    amount: _Amount


class SeverityRow(Dated, frozen=True, kw_only=True):
    """From which effect on the balance a kind of finding has a severity.

    Attributes:
        finding: the kind.
        severity: what it weighs.
        from_tpp: from this TPP of controlled chips on, inclusive.
    """

    finding: Name
    severity: Severity
    from_tpp: _Amount


class Timers(Table, frozen=True, kw_only=True):
    """All timers, thresholds and severities of one version."""

    timers: tuple[TimerRow, ...]
    thresholds: tuple[ThresholdRow, ...]
    severities: tuple[SeverityRow, ...]

    def limit(self, timer: Timer, day: date) -> TimerRow | None:
        """Return the row of a timer on a day, or None where nothing is waited for that day."""
        return next(
            (
                row
                for row in self.timers
                if row.timer is timer and in_force_on(day, row.valid_from, row.valid_to)
            ),
            None,
        )

    def amount(self, threshold: Threshold, day: date) -> int | None:
        """Return a threshold on a day, or None where none holds."""
        return next(
            (
                row.amount
                for row in self.thresholds
                if row.threshold is threshold and in_force_on(day, row.valid_from, row.valid_to)
            ),
            None,
        )

    def weighs(self, finding: str, day: date) -> bool:
        """Tell whether the table says on a day what a kind of finding weighs."""
        return any(
            row.finding == finding and in_force_on(day, row.valid_from, row.valid_to)
            for row in self.severities
        )

    def severity(self, finding: str, tpp: int, day: date) -> Severity:
        """Return how much a finding weighs; high where the table does not know its kind."""
        steps = [
            (row.from_tpp, row.severity)
            for row in self.severities
            if row.finding == finding
            and row.from_tpp <= tpp
            and in_force_on(day, row.valid_from, row.valid_to)
        ]
        return max(steps, default=(0, Severity.HIGH))[1]


def check_timers(table: Timers) -> Timers:
    """Return the table, once each row says one thing and no two hold on one day.

    Raises:
        BookError: `malformed-table` or `table-dates-overlap`.
    """
    for position, row in enumerate(table.timers):
        given = [one for one in (row.days, row.hours, row.business_days) if one is not None]
        if len(given) != 1:
            raise refuse(
                Code.MALFORMED_TABLE,
                f"the timer {row.timer} has {len(given)} limits",
                where=f"timers[{position}]",
                hint="give one of days, hours and business_days",
            )
    _check_days("timers", ((row.timer, row) for row in table.timers))
    _check_days("thresholds", ((row.threshold, row) for row in table.thresholds))
    _check_days("severities", (((row.finding, row.from_tpp), row) for row in table.severities))
    return table


def _check_days(member: str, rows: Iterable[tuple[Hashable, Dated]]) -> None:
    seen: dict[Hashable, list[Dated]] = {}
    for position, (name, row) in enumerate(rows):
        for other in seen.setdefault(name, []):
            if overlap((row.valid_from, row.valid_to), (other.valid_from, other.valid_to)):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"two rows of {name} are valid on the same day",
                    where=f"{member}[{position}]",
                    hint="end the older row the day before the newer starts",
                )
        seen[name].append(row)
