"""The service's schedule, in real time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.cycle import Outcome
from chipledger_agent.daemon import Daemon, Surroundings, Timing
from chipledger_testing.agent_ports import Notes, SeededEntropy


class ScriptedWork:
    """Does in each cycle what the test says; tells how far it came.

    Attributes:
        missed: what each run was told of.
        deliveries: how often it was asked to deliver alone.
    """

    def __init__(self, *steps: Callable[[], Outcome]) -> None:
        self._steps = list(steps)
        self._turn = threading.Condition()
        self.missed: list[int] = []
        self.deliveries = 0
        self.stopped = False

    def run(self, *, missed: int = 0) -> Outcome:
        """Do the next step; the last one again and again."""
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        with self._turn:
            self.missed.append(missed)
            self._turn.notify_all()
        return step()

    def deliver(self) -> Outcome:
        """Count."""
        with self._turn:
            self.deliveries += 1
            self._turn.notify_all()
        return Outcome()

    def stop(self) -> None:
        """Note it."""
        self.stopped = True

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds."""
        with self._turn:
            assert self._turn.wait_for(condition, timeout=20)


@contextmanager
def running(work: ScriptedWork, notes: Notes, *, watchdog_s: int = 0) -> Iterator[list[Outcome]]:
    """Run the service while the block does; gives the outcomes it observed."""
    seen: list[Outcome] = []
    daemon = Daemon(
        work,
        Timing(interval_s=1, jitter_s=0, longest_cycle_s=60, watchdog_s=watchdog_s),
        Surroundings(
            clock=SystemClock(),
            entropy=SeededEntropy(),
            notifier=notes,
            journal=notes,
            observe=seen.append,
        ),
    )
    daemon.start()
    try:
        yield seen
    finally:
        daemon.stop()


@pytest.fixture
def notes() -> Notes:
    """Return an empty journal."""
    return Notes()


def fail() -> Outcome:
    """Raise what no cycle should."""
    raise RuntimeError("a fault nobody thought of")


def test_a_cycle_that_raises_does_not_end_the_service(notes: Notes) -> None:
    """It is told, and the next one runs."""
    work = ScriptedWork(fail, Outcome)
    with running(work, notes):
        work.wait_for(lambda: len(work.missed) >= 2)

    assert "cycle-failed" in notes.names()
    assert "cycle-done" in notes.names()


def test_readiness_comes_with_the_schedule_and_the_end_is_told(notes: Notes) -> None:
    """Not before the first report was made: a slow driver does not hold up the boot."""
    work = ScriptedWork(Outcome)
    with running(work, notes):
        work.wait_for(lambda: bool(work.missed))

    assert notes.progress_made[0] == "ready"
    assert notes.progress_made[-1] == "stopping"
    assert work.stopped


def test_a_pause_ends_with_a_delivery_of_its_own(notes: Notes) -> None:
    """Reports that wait need not wait for the next scan."""
    work = ScriptedWork(lambda: Outcome(waiting=1, retry_in_s=1, failure="collector-busy"))
    with running(work, notes) as seen:
        work.wait_for(lambda: work.deliveries >= 1)

    assert seen[0].failure == "collector-busy"


def test_reports_due_while_one_is_made_are_counted(notes: Notes) -> None:
    """One runs at a time; the next is told what it missed."""
    gate = threading.Event()

    def slow() -> Outcome:
        gate.wait(2.5)
        return Outcome()

    work = ScriptedWork(slow, Outcome)
    with running(work, notes):
        work.wait_for(lambda: len(work.missed) >= 2)

    assert work.missed[0] == 0
    assert work.missed[1] >= 1


def test_the_watchdog_is_fed_while_work_gets_done(notes: Notes) -> None:
    """Between reports, too."""
    work = ScriptedWork(Outcome)
    with running(work, notes, watchdog_s=3):
        work.wait_for(lambda: len(work.missed) >= 3)

    assert "waiting for the next report" in notes.progress_made


def test_a_hung_cycle_starves_the_watchdog(notes: Notes) -> None:
    """A process that is alive and does nothing is restarted by the service manager."""
    gate = threading.Event()

    def hang() -> Outcome:
        gate.wait(3)
        return Outcome()

    work = ScriptedWork(hang)
    with running(work, notes, watchdog_s=3):
        gate.wait(2.5)
        fed = list(notes.progress_made)

    assert fed == ["ready"]
