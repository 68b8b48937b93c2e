"""When the collector looks around: in a worker process, reading only.

A round is made in parts, a family at a time. What a part finds is handed to the one writer, which
keeps it between two commits. A round that fails is made again; what was found before stays.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from chipledger_server.jobs.worker import Stopped, Worker, WorkerFailed
from chipledger_server.usecases.book.lookout import Looked

_PART_S: Final = 3600
_LOG: Final = structlog.get_logger("chipledger.lookout")


class LookoutJob:
    """Looks around every so often; `start` it, `stop` it."""

    def __init__(
        self,
        look: Callable[[Worker], Iterable[Looked]],
        *,
        every_s: float,
        keep: Callable[[Looked], None],
    ) -> None:
        """Make the job.

        Args:
            look: asks the worker for one round, part by part.
            every_s: seconds between two rounds.
            keep: hands a look to the writer.
        """
        self._look = look
        self._every_s = every_s
        self._keep = keep
        self._ended = threading.Event()
        self._worker = Worker(self._ended, limit_s=_PART_S)
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End now; a round that is under way is made again at the next start."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                for looked in self._look(self._worker):
                    self._keep(looked)
            except Stopped:
                break
            except WorkerFailed as error:
                fault = error.__cause__
                _LOG.error("round-failed", fault=repr(fault), exc_info=fault)
            except Exception as error:  # noqa: BLE001 - the daemon loop: made again
                _LOG.error("round-failed", fault=str(error), exc_info=error)
        self._worker.kill()
