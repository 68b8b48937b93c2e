"""When the sequencer makes its steps: in the writer thread, at most a second behind.

A step that fails is undone as a whole and made again, later and later; tokens go on being
accepted meanwhile, and health says that they are not applied.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from chipledger_evidence.claims import FullReport
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_server.config import Log
from chipledger_server.domain.arrival import Arrival
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.domain.log import NewRecord
from chipledger_server.domain.rounds import Round
from chipledger_server.domain.vitals import Pace
from chipledger_server.ports import Clock
from chipledger_server.usecases.book.lookout import Looked
from chipledger_server.usecases.sequencing.step import MOST_TOKENS, Sequencer

_MOST_READY: Final = 16 * MOST_TOKENS
_AT_ONCE: Final = 128
_WEIGHT_OF_NEW: Final = 8  # a new inventory takes the time of so many heartbeats
_LOG: Final = structlog.get_logger("chipledger.sequencer")


class SequencerJob:
    """Keeps tokens ready for the sequencer and makes it step."""

    def __init__(
        self,
        sequencer: Sequencer,
        *,
        clock: Clock,
        policy: Log,
        changed: Callable[[Sequence[NewRecord]], None],
        conclude: Callable[[Round, EvidenceResult], None],
    ) -> None:
        """Make the job.

        Args:
            sequencer: makes the steps.
            clock: says when.
            policy: how often.
            changed: told of records of others that got their place.
            conclude: keeps the result of a round, in a transaction of its own.
        """
        self._conclude = conclude
        self._judged: deque[tuple[Round, EvidenceResult]] = deque()
        self._looks: deque[Looked] = deque()
        self.pace = Pace()
        self._sequencer = sequencer
        self._clock = clock
        self._changed = changed
        self._wait_s = policy.sequence_ms / 1000
        self._beat_s = min(policy.beat_s, 1)
        self._ready: deque[LoggedToken] = deque()
        self._beat_at_s = clock.monotonic_s()
        self._retry_at_s = 0.0
        self._step_at_s = 0.0
        self._last_pos = 0

    def judged(self, round_: Round, result: EvidenceResult) -> None:
        """Take a result from the job that judges evidence, to be kept by the one writer."""
        self._judged.append((round_, result))

    def looked(self, looked: Looked) -> None:
        """Take what a look around found, to be kept by the one writer."""
        self._looks.append(looked)

    def begin(self, last_pos: int) -> None:
        """Take the lease; tokens up to `last_pos` that a crash left unapplied come first."""
        self._sequencer.begin()
        self.pace.applied, self.pace.log_size = self._sequencer.applied, self._sequencer.log_size
        self.pace.beat_ms = self._clock.now_ms()
        self._last_pos = last_pos
        if last_pos > self.pace.applied:
            self.pace.waiting = last_pos - self.pace.applied
            self.pace.behind_since_s = self._clock.monotonic_s()

    def stored(self, arrivals: Sequence[Arrival]) -> None:
        """Take note of tokens that have just become durable."""
        if not arrivals:
            return
        now_s = self._clock.monotonic_s()
        if self.pace.behind_since_s is None:
            self.pace.behind_since_s = now_s
            self._step_at_s = now_s + self._wait_s
        self._last_pos = arrivals[-1].pos
        self.pace.waiting = self._last_pos - self.pace.applied
        if len(self._ready) < _MOST_READY:  # beyond that they are read back when their turn comes
            self._ready.extend(map(_logged, arrivals))

    def tick(self) -> float:
        """Do what is due, and return for how many seconds nothing will be."""
        now_s = self._clock.monotonic_s()
        if now_s < self._retry_at_s:
            return self._retry_at_s - now_s
        if self._judged:
            self._keep_results()
        if self._looks and not self.pace.waiting:
            self._keep_look()
        beat = now_s >= self._beat_at_s
        waiting = self.pace.waiting
        if beat or waiting >= _AT_ONCE or (waiting and now_s >= self._step_at_s):
            self._step(now_s, beat=beat)
            waiting = self.pace.waiting
        if self.pace.failures:
            return max(0.0, self._retry_at_s - now_s)
        if waiting >= _AT_ONCE:
            return 0.0
        if self._looks:
            return 0.0
        return max(0.0, (self._step_at_s if waiting else self._beat_at_s) - now_s)

    def finish(self) -> None:
        """Apply all that was accepted; what cannot be applied now is at the next start."""
        self._step(self._clock.monotonic_s(), beat=True)
        while self.pace.waiting and not self.pace.failures:
            self._step(self._clock.monotonic_s(), beat=False)

    def _keep_results(self) -> None:
        try:
            while self._judged:
                self._conclude(*self._judged[0])
                self._judged.popleft()
        except Exception as error:  # noqa: BLE001 - the daemon loop: kept, and tried again
            _LOG.error("result-not-kept", fault=str(error), exc_info=error)

    def _keep_look(self) -> None:
        """Keep one look; a round brings another one of the same, so a failed one is let go."""
        looked = self._looks.popleft()
        try:
            self._sequencer.looked(looked)
        except Exception as error:
            _LOG.error("look-not-kept", scope=looked.scope, fault=str(error), exc_info=error)
            if isinstance(error, ServerError) and error.code is Code.FENCED:
                raise
            self._sequencer.recover()

    def _step(self, now_s: float, *, beat: bool) -> None:
        pace = self.pace
        try:
            done = self._sequencer.step(self._some(), beat=beat)
        except Exception as error:  # noqa: BLE001 - the daemon loop: made again from what is kept
            self._failed(error, now_s)
            return
        if beat:
            self._beat_at_s = now_s + self._beat_s
            pace.beat_ms = self._clock.now_ms()
        pace.steps += 1
        pace.failures, pace.fault = 0, ""
        pace.applied, pace.log_size = self._sequencer.applied, self._sequencer.log_size
        while self._ready and self._ready[0].pos <= pace.applied:
            self._ready.popleft()
        pace.waiting = self._last_pos - pace.applied
        self._step_at_s = now_s + self._wait_s
        if not pace.waiting:
            pace.behind_since_s = None
        if done.records:
            self._changed(done.records)

    def _some(self) -> list[LoggedToken]:
        """Return tokens for one step: few enough that nobody waits long for the next commit."""
        taken: list[LoggedToken] = []
        weight = 0
        for token in self._ready:
            weight += _WEIGHT_OF_NEW if isinstance(token.claims, FullReport) else 1
            taken.append(token)
            if weight >= _AT_ONCE:
                break
        return taken

    def _failed(self, error: Exception, now_s: float) -> None:
        pace = self.pace
        pace.failures += 1
        pace.fault = f"{type(error).__name__}: {error}"
        self._retry_at_s = now_s + min(30, 2 ** min(pace.failures, 5) / 4)
        _LOG.error("step-failed", fault=pace.fault, failures=pace.failures, exc_info=error)
        if isinstance(error, ServerError) and error.code is Code.FENCED:
            raise error
        self._sequencer.recover()


def _logged(arrival: Arrival) -> LoggedToken:
    return LoggedToken(
        pos=arrival.pos,
        host=arrival.host,
        token=arrival.token,
        identity=arrival.identity,
        claims=arrival.claims,
        freshness=arrival.freshness,
        received_ms=arrival.received_ms,
    )
