"""One worker process of low priority: what it does costs no thread of the doors' time.

It is asked one thing at a time, may hang, fail or die, and is begun anew when next it is asked. It
ends when the collector does, however that ends.
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any, Final, TypeVar

T = TypeVar("T")

_LOOKS_A_SECOND: Final = 4
_NICENESS: Final = 19


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The collector ends while something is being done."""


class WorkerFailed(Exception):  # noqa: N818 - the worker's error is its cause
    """The worker hung, died, or raised; its own error is the cause."""


class Worker:
    """A process that does what it is asked, one after the other."""

    def __init__(self, ended: threading.Event, *, limit_s: float) -> None:
        """Make the worker; its process begins when it is first asked.

        Args:
            ended: set when the collector ends.
            limit_s: seconds that one question may take.
        """
        self._ended = ended
        self._limit_s = limit_s
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, question: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - any that can be pickled
        """Return what a function of a module returns for arguments that can be pickled.

        Raises:
            Stopped: the collector ends.
            WorkerFailed: no answer.
        """
        if self._pool is None:
            self._pool = _new_pool()
        try:
            return self._await(self._pool.submit(question, *arguments))
        except (BrokenProcessPool, TimeoutError) as error:
            self.kill()
            raise WorkerFailed from error
        except WorkerFailed:
            self.kill()
            raise

    def _await(self, task: Future[T]) -> T:
        for _ in range(round(self._limit_s * _LOOKS_A_SECOND)):
            if self._ended.is_set():
                raise Stopped
            with suppress(TimeoutError):
                fault = task.exception(timeout=1 / _LOOKS_A_SECOND)
                if fault is None:
                    return task.result()
                raise WorkerFailed from fault
        raise TimeoutError

    def kill(self) -> None:
        """End the process, which may hang for ever."""
        if self._pool is None:
            return
        for process in list(self._pool._processes.values()):  # noqa: SLF001 - no public way to kill
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
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
