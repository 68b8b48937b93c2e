"""The service: runs the cycle on a schedule until it is told to stop.

One worker thread does everything that is due, so a report and a repeated delivery never
overlap, and the watchdog is fed from that same thread: a hung cycle starves it.
"""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from chipledger_agent.cycle import Outcome
from chipledger_agent.ports import Clock, Entropy, Journal, Notifier

_REPORT, _DELIVER, _WATCH = "report", "deliver", "watch"


class Work(Protocol):
    """What the service does: :class:`~chipledger_agent.cycle.Cycle`."""

    def run(self, *, missed: int = 0) -> Outcome:
        """Make a report and deliver."""
        ...

    def deliver(self) -> Outcome:
        """Deliver what waits."""
        ...

    def stop(self) -> None:
        """Begin no further request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things are due.

    Attributes:
        interval_s: seconds between reports.
        jitter_s: each comes up to so many seconds earlier or later.
        longest_cycle_s: no cycle that still makes progress takes longer.
        watchdog_s: how often the service manager wants a sign; 0 when it does not.
    """

    interval_s: int
    jitter_s: int
    longest_cycle_s: int
    watchdog_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The ports the service itself uses."""

    clock: Clock
    entropy: Entropy
    notifier: Notifier
    journal: Journal
    observe: Callable[[Outcome], None]


class Daemon:
    """Runs until SIGTERM or SIGINT; a cycle that fails, however, does not end it."""

    def __init__(self, work: Work, timing: Timing, surroundings: Surroundings) -> None:
        self._work = work
        self._timing = timing
        self._around = surroundings
        self._missed = 0
        self._last_work_ms = surroundings.clock.monotonic_ms()
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # we tell it ourselves
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> None:
        """Work until a signal says stop; returns after the cycle under way is over."""
        receive, send = os.pipe()
        previous = {
            number: signal.signal(number, lambda *_: os.write(send, b"!"))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self.start()
            os.read(receive, 1)
            self.stop()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            os.close(receive)
            os.close(send)

    def start(self) -> None:
        """Begin the schedule: the first report within the jitter, then one an interval."""
        timing = self._timing
        first_s = self._around.entropy.below(timing.jitter_s + 1)
        self._scheduler.add_listener(self._overrun, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_job(
            self._report,
            "interval",
            id=_REPORT,
            seconds=timing.interval_s,
            jitter=timing.jitter_s or None,
            next_run_time=self._in(first_s),
        )
        if timing.watchdog_s:
            self._scheduler.add_job(
                self._watch, "interval", id=_WATCH, seconds=max(1, timing.watchdog_s // 3)
            )
        self._scheduler.start()
        self._around.notifier.ready()
        self._around.journal.event("started", interval_s=timing.interval_s, first_in_s=first_s)

    def stop(self) -> None:
        """Begin nothing new and wait for the cycle under way."""
        self._around.notifier.stopping()
        self._work.stop()
        self._scheduler.shutdown(wait=True)
        self._around.journal.event("stopped")

    def _report(self) -> None:
        missed, self._missed = self._missed, 0
        self._guard(lambda: self._work.run(missed=missed))

    def _deliver(self) -> None:
        self._guard(self._work.deliver)

    def _guard(self, work: Callable[[], Outcome]) -> None:
        try:
            outcome = work()
            self._around.observe(outcome)
            self._tell(outcome)
            self._plan(outcome)
        except Exception as error:  # noqa: BLE001 - the one loop that must survive everything
            self._around.journal.trouble("cycle-failed", error=repr(error))
            return
        self._last_work_ms = self._around.clock.monotonic_ms()

    def _tell(self, outcome: Outcome) -> None:
        newest = outcome.signed[-1] if outcome.signed else None
        self._around.journal.event(
            "cycle-done",
            seq=newest.seq if newest else None,
            full=str(newest.cause) if newest and newest.cause else None,
            scan=outcome.scan_status or None,
            stored=outcome.stored,
            refused=len(outcome.refused),
            waiting=outcome.waiting,
            failure=outcome.failure or None,
        )

    def _plan(self, outcome: Outcome) -> None:
        if outcome.retry_in_s is not None:
            self._scheduler.add_job(
                self._deliver,
                "date",
                id=_DELIVER,
                run_date=self._in(outcome.retry_in_s),
                replace_existing=True,
            )

    def _watch(self) -> None:
        """Feed the watchdog, but only while cycles come to an end as often as they should."""
        timing = self._timing
        allowed_ms = 1000 * (2 * timing.interval_s + timing.jitter_s + timing.longest_cycle_s)
        if self._around.clock.monotonic_ms() - self._last_work_ms <= allowed_ms:
            self._around.notifier.progress("waiting for the next report")
        else:
            self._around.journal.trouble("no-work-done", allowed_s=allowed_ms // 1000)

    def _overrun(self, event: JobExecutionEvent) -> None:
        if event.job_id == _REPORT:
            self._missed += 1

    def _in(self, seconds: int) -> datetime:
        return datetime.fromtimestamp(self._around.clock.now_s() + seconds, UTC)
