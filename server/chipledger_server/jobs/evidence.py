"""Judging device evidence after its token was answered: one thread, one worker process.

The worker parses bytes that a cheat may have chosen, so it is a process of its own, of low
priority, and may die: its round is tried again, then given up with a result that says so. What
waits is in the database; whatever happens here, it is there at the next start.
"""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Final, Protocol

import structlog

from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_server.domain.rounds import Round, give_up, judge_round

MOST_ROUNDS: Final = 16
_ROUND_S: Final = 60
_TRIES: Final = 3
_LOOKS_A_SECOND: Final = 4
_NICENESS: Final = 19
_LOG: Final = structlog.get_logger("chipledger.evidence")


Judge = Callable[[Round, TrustAnchors, int], EvidenceResult]


class Rounds(Protocol):
    """Where rounds wait, and where results go."""

    def due(self, most: int) -> Sequence[Round]:
        """Return the oldest rounds that wait to be judged."""
        ...


class EvidenceJob:
    """Judges rounds one after the other; `start` it, `stop` it."""

    def __init__(
        self,
        rounds: Callable[[], Rounds],
        *,
        anchors: Callable[[Round], TrustAnchors],
        now_ms: Callable[[], int],
        look_s: float,
        conclude: Callable[[Round, EvidenceResult], None],
        judge: Judge = judge_round,
    ) -> None:
        """Make the job.

        Args:
            rounds: opens the waiting rounds, in the job's own thread.
            anchors: root keys to believe for a round.
            now_ms: Unix milliseconds.
            look_s: seconds between two looks at what waits.
            conclude: hands a result over; its round stays on the list until it is kept.
            judge: what the worker does; a function of a module.
        """
        self._open = rounds
        self._anchors = anchors
        self._now_ms = now_ms
        self._look_s = look_s
        self._judge_one = judge
        self._conclude = conclude
        self._handed: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End now; the round that is being judged waits for the next start with the others."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        rounds = self._open()
        while not self._ended.wait(self._look_s):
            try:
                self._look(rounds.due(MOST_ROUNDS))
            except _Stopped:
                break
            except Exception as error:  # noqa: BLE001 - the daemon loop: what waits is kept
                _LOG.error("evidence-not-judged", fault=str(error), exc_info=error)
        self._kill()

    def _look(self, due: Sequence[Round]) -> None:
        self._handed &= {round_.pos for round_ in due}
        for round_ in due:
            if round_.pos not in self._handed:
                self._conclude(round_, self._judge(round_))
                self._handed.add(round_.pos)

    def _judge(self, round_: Round) -> EvidenceResult:
        anchors = self._anchors(round_)
        why = ""
        for _ in range(_TRIES):
            if self._pool is None:
                self._pool = _new_pool()
            try:
                task = self._pool.submit(self._judge_one, round_, anchors, self._now_ms())
                return self._await(task)
            except (BrokenProcessPool, TimeoutError, _Failed) as error:
                why = (
                    f"the verifier ended, hung or failed: {type(error.__cause__ or error).__name__}"
                )
                self._kill()
                _LOG.warning(
                    "verifier-ended",
                    token=round_.token,
                    host=round_.host,
                    why=why,
                    cause=repr(error.__cause__),
                )
        return give_up(round_, anchors, self._now_ms(), why)

    def _await(self, task: Future[EvidenceResult]) -> EvidenceResult:
        for _ in range(_ROUND_S * _LOOKS_A_SECOND):
            if self._ended.is_set():
                raise _Stopped
            with suppress(TimeoutError):
                fault = task.exception(timeout=1 / _LOOKS_A_SECOND)
                if fault is None:
                    return task.result()
                raise _Failed from fault
        raise TimeoutError

    def _kill(self) -> None:
        """End the worker, which may hang for ever."""
        if self._pool is None:
            return
        for process in list(self._pool._processes.values()):  # noqa: SLF001 - no public way to kill
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The collector ends while a round is being judged."""


class _Failed(Exception):  # noqa: N818 - the worker's error is its cause
    """The worker ended or raised: what it was given must not stand before all others for ever."""


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin_worker)


def _begin_worker() -> None:
    """Leave the processor to the doors, and Ctrl-C to the collector; end when it does."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_collector, daemon=True).start()


def _end_with_the_collector() -> None:
    """Wait for the collector's end, be it a kill; a pool's process alone would never notice."""
    collector = parent_process()
    if collector is not None:
        collector.join()
        os._exit(1)
