"""What one agent process knows of its collector: the small state, and when to leave it alone."""

from chipledger_agent.domain.backoff import retry_delay_s
from chipledger_agent.domain.failures import AgentError, CollectorUnavailable
from chipledger_agent.domain.state import State
from chipledger_agent.ports import Clock, Entropy, Journal, StateStore


class Contact:
    """Holds the state between steps and the pause after a failure.

    The pause lives in memory only: a restarted agent may ask once.
    """

    def __init__(
        self, *, states: StateStore, clock: Clock, entropy: Entropy, journal: Journal, first: State
    ) -> None:
        self._states = states
        self._clock = clock
        self._entropy = entropy
        self._journal = journal
        self._saved = states.load()
        self.state = self._saved or first
        self._attempt = 0
        self._not_before_ms = 0
        self.failure = ""
        self.stopping = False  # set from outside: begin nothing new

    def pause_s(self) -> int:
        """Return the seconds for which the collector must still be left alone, 0 for none."""
        left_ms = self._not_before_ms - self._clock.monotonic_ms()
        return max(0, -(-left_ms // 1000)) if self._attempt else 0

    def answered(self) -> None:
        """Note an answer: the pause is over."""
        if self._attempt:
            self._journal.event("collector-back", after_failures=self._attempt)
        self._attempt = 0
        self.failure = ""

    def failed(self, error: AgentError) -> None:
        """Note a failure and begin a pause, at least as long as the collector asked for."""
        self._attempt += 1
        asked = error.retry_after_s if isinstance(error, CollectorUnavailable) else None
        delay_s = retry_delay_s(self._attempt, below=self._entropy.below, retry_after_s=asked)
        self._not_before_ms = self._clock.monotonic_ms() + delay_s * 1000
        self.failure = error.code
        self._journal.trouble(
            "collector-failed", code=error.code, detail=error.detail, hint=error.hint,
            attempt=self._attempt, pause_s=delay_s,
        )  # fmt: skip

    def save(self) -> None:
        """Make the state durable if it changed; a failure costs a full report, no more."""
        if self.state == self._saved:
            return
        try:
            self._states.save(self.state)
        except AgentError as error:
            self._journal.trouble("state-not-saved", code=error.code, detail=error.detail)
        else:
            self._saved = self.state
