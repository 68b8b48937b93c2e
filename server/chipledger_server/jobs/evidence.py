"""Judging device evidence after its token was answered: one thread, one worker process.

The worker parses bytes that a cheat may have chosen, so it is a process of its own, of low
priority, and may die: its round is tried again, then given up with a result that says so. What
waits is in the database; whatever happens here, it is there at the next start.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_server.domain.rounds import Round, give_up, judge_round
from chipledger_server.jobs.worker import Stopped, Worker, WorkerFailed

MOST_ROUNDS: Final = 16
_ROUND_S: Final = 60
_TRIES: Final = 3
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
        self._worker = Worker(self._ended, limit_s=_ROUND_S)

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
            except Stopped:
                break
            except Exception as error:  # noqa: BLE001 - the daemon loop: what waits is kept
                _LOG.error("evidence-not-judged", fault=str(error), exc_info=error)
        self._worker.kill()

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
            try:
                return self._worker.ask(self._judge_one, round_, anchors, self._now_ms())
            except WorkerFailed as error:
                # What it was given must not stand before all others for ever.
                why = f"the verifier ended, hung or failed: {type(error.__cause__).__name__}"
                _LOG.warning(
                    "verifier-ended",
                    token=round_.token,
                    host=round_.host,
                    why=why,
                    cause=repr(error.__cause__),
                )
        return give_up(round_, anchors, self._now_ms(), why)
