"""What one run of the cycle came to."""

from dataclasses import dataclass, field

from chipledger_agent.domain.plan import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A report that was signed and is durable.

    Attributes:
        seq: its number.
        cause: why it is a full report; ``None`` for a heartbeat.
        challenged: it echoes a challenge rather than an epoch value.
        resumed: it continues from the collector's head.
    """

    seq: int
    cause: Cause | None
    challenged: bool
    resumed: bool


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Grows while a cycle runs.

    Attributes:
        signed: reports made, oldest first.
        stored: reports the collector acknowledged.
        refused: codes of the reports it refused.
        skipped: why the scan was not made or its report not kept; empty when it was.
        failure: why reports still wait; empty when none does or nothing is wrong.
        waiting: reports that wait at the end.
        retry_in_s: when to try to deliver again; ``None`` when there is no need.
        scan_status: status of the scan, empty when none was made.
    """

    signed: list[Signed] = field(default_factory=list)
    stored: int = 0
    refused: list[str] = field(default_factory=list)
    skipped: str = ""
    failure: str = ""
    waiting: int = 0
    retry_in_s: int | None = None
    scan_status: str = ""
