"""How the collector is: health that means work done, and Prometheus metrics."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.inventory import Count, Text
from chipledger_server.domain.vitals import Doors, Pace, Vitals
from chipledger_server.ports import Clock

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

MOST_BEHIND_S = 5
MOST_QUIET_MS = 15_000


class Health(Wire, frozen=True, kw_only=True):
    """Facts behind the verdict.

    Attributes:
        applied: position of the newest applied token.
        behind_ms: how long the oldest unapplied token has waited.
        log_size: entries in the log.
        quiet_ms: time since the sequencer last committed that it is alive.
        status: ``ok`` or ``failing``.
        waiting: tokens not yet applied.
        fault: what fails, when something does.
    """

    applied: Count
    behind_ms: Count
    log_size: Count
    quiet_ms: Count
    status: Text
    waiting: Count
    fault: Text | None = None


class CollectorGauges:
    """Reads the counters of doors, writer and sequencer."""

    def __init__(
        self,
        *,
        doors: Doors,
        writer: Vitals,
        pace: Pace,
        queued: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._doors = doors
        self._writer = writer
        self._pace = pace
        self._queued = queued
        self._clock = clock
        self._registry = CollectorRegistry()
        self._registry.register(cast("Collector", self))

    def health(self) -> tuple[bool, bytes]:
        """Return whether work is being done, and the facts as JSON."""
        pace = self._pace
        quiet_ms = max(0, self._clock.now_ms() - pace.beat_ms)
        behind_ms = int(self._behind_s() * 1000)
        fault = self._writer.dead or pace.fault
        if self._writer.full:
            fault = "disk-full"
        elif not fault and behind_ms > MOST_BEHIND_S * 1000:
            fault = "accepted tokens are not applied"
        elif not fault and quiet_ms > MOST_QUIET_MS:
            fault = "the sequencer has stopped"
        facts = Health(
            applied=pace.applied,
            behind_ms=behind_ms,
            log_size=pace.log_size,
            quiet_ms=quiet_ms,
            status="failing" if fault else "ok",
            waiting=pace.waiting,
            fault=fault or None,
        )
        return not fault, encode_canonical(facts)

    def metrics(self) -> bytes:
        """Return Prometheus text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, for the registry."""
        tokens = CounterMetricFamily(
            "chipledger_tokens", "Tokens answered, by what became of them.", labels=["result"]
        )
        tokens.add_metric(["stored"], self._doors.stored)
        tokens.add_metric(["repeated"], self._doors.repeated)
        for code, count in sorted(self._doors.refused.items()):
            tokens.add_metric([code], count)
        yield tokens
        for name, text, value in (
            ("chipledger_challenges", "Challenges given.", self._doors.challenges),
            ("chipledger_commits", "Group commits.", self._writer.commits),
            ("chipledger_commit_rows", "Tokens made durable.", self._writer.rows),
            ("chipledger_sequencer_steps", "Steps of the sequencer.", self._pace.steps),
        ):
            counter = CounterMetricFamily(name, text)
            counter.add_metric([], value)
            yield counter
        for name, text, level in (
            ("chipledger_log_size", "Entries in the log.", self._pace.log_size),
            ("chipledger_queued_tokens", "Tokens waiting for a commit.", self._queued()),
            ("chipledger_unapplied_tokens", "Durable, not yet applied.", self._pace.waiting),
            ("chipledger_unapplied_seconds", "Age of the oldest of these.", self._behind_s()),
            ("chipledger_disk_full", "1 while the disk is full.", int(self._writer.full)),
            ("chipledger_sequencer_failures", "Failed steps in a row.", self._pace.failures),
        ):
            gauge = GaugeMetricFamily(name, text)
            gauge.add_metric([], level)
            yield gauge

    def _behind_s(self) -> float:
        since_s = self._pace.behind_since_s
        return 0.0 if since_s is None else self._clock.monotonic_s() - since_s
