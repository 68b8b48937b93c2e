"""The writer thread and its group commit.

The event loop collects what requests hand in, and gives the thread one batch at a time: the
next batch starts when the commit before it ends, and waits at most two milliseconds for as many
rows as were lately under way, so one lone sender is never kept waiting. Answers go back to the
loop in one call a batch. Between batches the same thread runs the sequencer, so the embedded
database has one writer and nobody waits for its lock.

Order of a commit: tokens with the challenges they use up, new inventories, evidence, refusals;
then COMMIT (one fsync; heartbeats alone are one statement, which commits by itself); only then
are futures resolved. A crash before COMMIT loses what nobody was told of.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_server.adapters.ingest_sqlite import IngestTables
from chipledger_server.domain.arrival import Arrival, Outcome, Refusal
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.vitals import Vitals

MOST_ROWS: Final = 512
LINGER_S: Final = 0.002
DISK_RETRY_S: Final = 30
_MOST_REFUSALS: Final = 4096


class Between(Protocol):
    """What the writer thread does when no batch is waiting."""

    def stored(self, arrivals: Sequence[Arrival]) -> None:
        """Take note of tokens that have just become durable."""
        ...

    def tick(self) -> float:
        """Do what is due, and return for how many seconds nothing will be."""
        ...

    def finish(self) -> None:
        """Do all that is left to do; nothing more will be stored."""
        ...


@dataclass(slots=True)
class _Job:
    arrivals: Sequence[Arrival]
    future: asyncio.Future[Sequence[Outcome]]


@dataclass(slots=True)
class _Batch:
    jobs: list[_Job]
    refusals: list[Refusal]


class SqliteWriter:
    """Makes tokens durable in groups; `start` it in the event loop, `stop` it to drain."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        between: Between,
        *,
        now_ms: Callable[[], int],
        most_waiting: int,
    ) -> None:
        self.vitals = Vitals()
        self._connection = connection
        self._tables = IngestTables(connection)
        self._between = between
        self._now_ms = now_ms
        self._most_waiting = most_waiting
        self._handed: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        # Below: touched by the event loop alone.
        self._loop: asyncio.AbstractEventLoop
        self._waiting: list[_Job] = []
        self._rows = 0
        self._refusals: list[Refusal] = []
        self._busy = False
        self._expected = 1
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._idle: asyncio.Event

    @property
    def last_pos(self) -> int:
        """Position of the newest token; meaningful before `start` only."""
        return self._tables.last_pos

    @property
    def waiting(self) -> int:
        """How many tokens wait for the next batch."""
        return self._rows

    def start(self, *, ended: Callable[[], None] = lambda: None) -> None:
        """Begin; call from inside the running event loop.

        Args:
            ended: called in the loop when the thread ended by itself and nothing will be stored.
        """
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread.start()

    async def stop(self) -> None:
        """Take nothing new, make durable and answer what was taken, and end the thread."""
        self._stopping = True
        while self._busy or self._waiting:
            await self._idle.wait()
        self._handed.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def submit(self, arrivals: Sequence[Arrival]) -> asyncio.Future[Sequence[Outcome]]:
        """Return a future of what became of each of `arrivals`, in order.

        Raises:
            ServerError: `stopping` or `overloaded`; the future may raise `disk-full`.
        """
        if self._stopping or self.vitals.dead:
            raise _ended()
        if self._rows + len(arrivals) > self._most_waiting:
            raise ServerError(
                Code.OVERLOADED, f"{self._rows} tokens wait to be stored", retry_after_s=5
            )
        future: asyncio.Future[Sequence[Outcome]] = self._loop.create_future()
        self._waiting.append(_Job(arrivals, future))
        self._rows += len(arrivals)
        if not self._busy:
            self._flush_or_linger()
        return future

    def note_refusal(self, refusal: Refusal) -> None:
        """Keep a refusal with the next batch; beyond a bound they are dropped."""
        if len(self._refusals) < _MOST_REFUSALS:
            self._refusals.append(refusal)
        if not self._busy and self._timer is None:
            self._linger()

    def _flush_or_linger(self) -> None:
        if self._rows >= self._expected:
            self._flush()
        elif self._timer is None:
            self._linger()

    def _linger(self) -> None:
        self._timer = self._loop.call_later(LINGER_S, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.vitals.dead:
            self._abandon()
            return
        jobs: list[_Job] = []
        rows = 0
        while self._waiting and rows < MOST_ROWS:
            job = self._waiting.pop(0)
            jobs.append(job)
            rows += len(job.arrivals)
        self._rows -= rows
        refusals, self._refusals = self._refusals, []
        self._busy = True
        self._idle.clear()
        self._handed.put(_Batch(jobs, refusals))

    def _abandon(self) -> None:
        """Tell everybody who waits that nothing will be stored any more."""
        jobs, self._waiting, self._rows = self._waiting, [], 0
        for job in jobs:
            if not job.future.done():
                job.future.set_exception(_ended())
        self._busy = False
        self._idle.set()
        self._ended()

    def _answered(self, batch: _Batch, outcomes: Sequence[Outcome] | ServerError) -> None:
        """Resolve a batch's futures and start the next one; runs in the event loop."""
        at = 0
        for job in batch.jobs:
            if job.future.done():  # whoever asked has gone
                at += len(job.arrivals)
            elif isinstance(outcomes, ServerError):
                job.future.set_exception(outcomes)
            else:
                job.future.set_result(outcomes[at : at + len(job.arrivals)])
                at += len(job.arrivals)
        self._busy = False
        self._expected = max(1, at + self._rows)
        if self._waiting:
            self._flush_or_linger()
        elif self._refusals:
            self._linger()
        self._idle.set()

    # Below: the writer thread.

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the daemon loop: health must say why it ended
            self.vitals.dead = f"{type(error).__name__}: {error}"
            left = [batch for batch in self._left() if batch is not None]
            for batch in left:
                self._loop.call_soon_threadsafe(self._answered, batch, _ended())
            self._loop.call_soon_threadsafe(self._abandon)

    def _left(self) -> Iterator[_Batch | None]:
        while not self._handed.empty():
            yield self._handed.get()

    def _work(self) -> None:
        wait_s = self._between.tick()
        while True:
            try:
                batch = self._handed.get(timeout=wait_s)
            except queue.Empty:
                wait_s = self._between.tick()
                continue
            if batch is None:
                self._between.finish()
                return
            self._commit(batch)
            wait_s = self._between.tick()

    def _commit(self, batch: _Batch) -> None:
        arrivals = [arrival for job in batch.jobs for arrival in job.arrivals]
        outcomes: Sequence[Outcome] | ServerError
        try:
            outcomes = self._transact(arrivals, batch.refusals)
            self.vitals.full = False
        except Exception as error:  # noqa: BLE001 - the daemon loop: every sender gets an answer
            outcomes = failure(error)
            self.vitals.full = outcomes.code is Code.DISK_FULL
            self._undo_or_end(batch, outcomes)
        else:
            new = [a for a, outcome in zip(arrivals, outcomes, strict=True) if outcome is None]
            self.vitals.commits += 1
            self.vitals.rows += len(new)
            self.vitals.commit_ms = self._now_ms()
            self._between.stored(new)
        self._loop.call_soon_threadsafe(self._answered, batch, outcomes)

    def _transact(
        self, arrivals: Sequence[Arrival], refusals: Sequence[Refusal]
    ) -> Sequence[Outcome]:
        execute = self._connection.execute
        if not refusals and self._tables.fits_one_statement(arrivals):
            try:
                return self._tables.put(arrivals)
            except _OBJECTIONS:
                self._undo()
        execute("BEGIN IMMEDIATE")
        try:
            outcomes = self._tables.put(arrivals)
        except _OBJECTIONS:
            self._undo()
            execute("BEGIN IMMEDIATE")
            outcomes = self._tables.put_singly(arrivals)
        if refusals:
            self._tables.put_refusals(refusals)
        execute("COMMIT")
        return outcomes

    def _undo_or_end(self, batch: _Batch, outcomes: ServerError) -> None:
        """Go back to the state before a batch; where not even that works, answer it and end."""
        try:
            self._undo()
        except sqlite3.Error:
            self._loop.call_soon_threadsafe(self._answered, batch, outcomes)
            raise

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._tables.reread()


def _ended() -> ServerError:
    return ServerError(Code.STOPPING, "the collector is stopping", retry_after_s=5)


def failure(error: Exception) -> ServerError:
    """Return what a failed batch means to somebody who sent a report."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FULL:
        return ServerError(
            Code.DISK_FULL,
            "the collector's disk is full; what it keeps can still be read",
            hint="keep the report and send it again",
            retry_after_s=DISK_RETRY_S,
        )
    return ServerError(
        Code.NOT_STORED, f"the database failed: {error}", hint="send it again", retry_after_s=5
    )


# One row is at fault, not the database.
_OBJECTIONS: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)
# SQLite meets a full disk as FULL, or as an I/O error where the WAL cannot grow.
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
