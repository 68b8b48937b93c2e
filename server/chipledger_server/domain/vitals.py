"""Facts about the collector itself: counters that threads write and health and metrics read."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Vitals:
    """Facts of the writer that health and metrics show.

    Attributes:
        commits: batches committed.
        rows: tokens made durable.
        commit_ms: Unix milliseconds of the newest commit.
        full: whether the newest attempt met a full disk.
        dead: why the thread ended, or an empty text.
    """

    commits: int = 0
    rows: int = 0
    commit_ms: int = 0
    full: bool = False
    dead: str = ""


@dataclass(slots=True)
class Pace:
    """Facts of the sequencer that health and metrics show.

    Attributes:
        behind_since_s: monotonic time since when a token waits to be applied, or None.
        waiting: how many wait.
        applied: position of the newest applied token.
        log_size: entries in the log.
        steps: steps made.
        failures: steps that failed, in a row.
        fault: why the newest step failed, or an empty text.
        beat_ms: Unix milliseconds of the newest step that noted the collector alive.
    """

    behind_since_s: float | None = None
    waiting: int = 0
    applied: int = 0
    log_size: int = 0
    steps: int = 0
    failures: int = 0
    fault: str = ""
    beat_ms: int = 0


@dataclass(slots=True)
class Doors:
    """What the agents' doors have answered.

    Attributes:
        stored: tokens answered as stored for the first time.
        repeated: tokens that were kept already.
        refused: tokens refused, by code.
        challenges: challenges given.
    """

    stored: int = 0
    repeated: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    challenges: int = 0
