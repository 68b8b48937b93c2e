"""One step of the sequencer: everything new gets its log index and is applied, or nothing is.

The order inside a step is part of the log's meaning: records that others wrote, tokens, then
the findings these opened. A timer that fires and a refusal that is noted do so after the tokens.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from chipledger_evidence.codec import Wire, b64url_encode, encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_evidence.inventory import Count, Text
from chipledger_server.config import Log
from chipledger_server.domain.findings import Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.liveness import Span
from chipledger_server.domain.log import KeptRefusal, NewRecord, Progress, Source
from chipledger_server.ports import Clock, Entropy
from chipledger_server.usecases.book.lookout import Looked
from chipledger_server.usecases.sequencing.fold import Fold

MOST_TOKENS: Final = 512
LEASE_MS: Final = 30_000
_AWAY_BEATS: Final = 6
_PULSE_BYTES: Final = 32
_REMEMBER_MS: Final = 400 * 86_400_000
_COLLECTOR: Final = "collector"


class Pulse(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``pulse``: the collector was there.

    Attributes:
        at: Unix milliseconds.
        random: 32 fresh random bytes, base64url.
        v: version of this format.
    """

    at: Count
    random: Text
    v: Literal[1] = 1


class LogBook(Protocol):
    """The log's positions inside the present transaction."""

    def take_lease(self, now_ms: int, lease_ms: int) -> None:
        """Become the one sequencer."""
        ...

    def progress(self) -> Progress:
        """Return how far the log is, as committed."""
        ...

    def save(self, progress: Progress, *, lease_until_ms: int) -> None:
        """Keep how far the log is; raises `fenced`."""
        ...

    def append(self, progress: Progress, source: Source, positions: Sequence[int]) -> None:
        """Give the next log indices to `positions`."""
        ...

    def new_records(self, after: int) -> Sequence[NewRecord]:
        """Return records after a position."""
        ...

    def new_refusals(self, after: int) -> Sequence[KeptRefusal]:
        """Return refusals after a position."""
        ...

    def add_downtime(self, from_ms: int, to_ms: int) -> None:
        """Write down that nobody was accepting between two times."""
        ...

    def downtime(self, after_ms: int) -> Sequence[Span]:
        """Return when nobody was accepting."""
        ...


class Ground(Protocol):
    """The database under a step."""

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        ...

    def tokens(self, first: int, most: int) -> Sequence[LoggedToken]:
        """Return committed tokens from a position on."""
        ...

    def flush(self, states: Sequence[HostState]) -> None:
        """Write changed host states."""
        ...

    def forget(self) -> None:
        """Drop every cached host state."""
        ...

    def record(self, kind: EntryType, subject: str, record: bytes, at_ms: int) -> None:
        """Append one of the collector's own records to the log's queue."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a step did.

    Attributes:
        tokens: how many tokens it applied.
        records: records of others that got their index: what they changed may be cached.
    """

    tokens: int
    records: Sequence[NewRecord]


class Sequencer:
    """Makes steps; used by one thread."""

    def __init__(
        self,
        *,
        fold: Fold,
        log: LogBook,
        ground: Ground,
        clock: Clock,
        entropy: Entropy,
        policy: Log,
    ) -> None:
        self._fold = fold
        self._log = log
        self._ground = ground
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._progress = log.progress()

    @property
    def applied(self) -> int:
        """Position of the newest applied token."""
        return self._progress.token_pos

    @property
    def log_size(self) -> int:
        """How many entries the log has."""
        return self._progress.log_size

    @property
    def _away_ms(self) -> int:
        """How long the collector may say nothing before it counts as away."""
        return _AWAY_BEATS * self._policy.beat_s * 1000

    def begin(self) -> None:
        """Take the lease, and write down since when nobody was accepting."""
        with self._transaction():
            self._log.take_lease(self._clock.now_ms(), LEASE_MS)
            self._progress = self._log.progress()
            self._beat(self._clock.now_ms())
            self._save(self._clock.now_ms())

    def step(self, ready: Sequence[LoggedToken], *, beat: bool) -> Stepped:
        """Make one step.

        Args:
            ready: tokens in log order; those that do not follow at once are read instead.
            beat: also note that the collector is alive, fire timers, and keep the log awake.
        """
        with self._transaction():
            now_ms = self._clock.now_ms()
            if now_ms - self._progress.beat_ms > self._away_ms:
                self._beat(now_ms)  # first: what waits must not be taken for its hosts' silence
            records = self._take_records()
            tokens = self._take_tokens(ready)
            touched = {token.host: self._fold.apply(token) for token in tokens}
            if tokens:
                positions = range(tokens[0].pos, tokens[-1].pos + 1)
                self._log.append(self._progress, "token", positions)
                self._progress.token_pos = tokens[-1].pos
            self._ground.flush(list(touched.values()))
            if beat:
                self._beat(now_ms)
                self._note_refusals()
                self._fold.silence.look(now_ms, self._fold.downtime)
                self._fold.noting.lapse(now_ms)
                if now_ms - self._progress.pulse_ms >= self._policy.pulse_s * 1000:
                    self._pulse(now_ms)
            own = self._take_records()
            if tokens or records or own:
                self._progress.pulse_ms = now_ms
            self._save(now_ms)
        return Stepped(tokens=len(tokens), records=[*records, *own])

    def _transaction(self) -> AbstractContextManager[None]:
        return self._ground.transaction()

    def looked(self, looked: Looked) -> None:
        """Apply what a look found, in a step of its own."""
        with self._transaction():
            self._fold.facts.apply(looked)
            if self._take_records():
                self._progress.pulse_ms = self._clock.now_ms()
            self._save(self._clock.now_ms())

    def recover(self) -> None:
        """Return to what is committed, after a step has failed."""
        self._ground.forget()
        self._fold.models.recall()
        self._progress = self._log.progress()

    def _take_records(self) -> Sequence[NewRecord]:
        records = self._log.new_records(self._progress.record_pos)
        if records:
            self._log.append(self._progress, "record", [record.pos for record in records])
            self._progress.record_pos = records[-1].pos
            for record in records:
                if record.kind == EntryType.ENROLMENT:
                    self._fold.enrolled(self._fold.store.host_named(record.subject))
                elif record.kind == EntryType.RESULT:
                    self._fold.judged(record.subject, record.record)
                elif record.kind in {EntryType.KEY, EntryType.DECISION}:
                    self._fold.lifecycle.take(record.subject, record.record)
                elif record.kind == EntryType.RULE_SET:
                    self._fold.models.take(record.record)
        return records

    def _take_tokens(self, ready: Sequence[LoggedToken]) -> Sequence[LoggedToken]:
        following = self._progress.token_pos + 1
        if ready and ready[0].pos == following:
            return ready[:MOST_TOKENS]
        return self._ground.tokens(following, MOST_TOKENS)

    def _beat(self, now_ms: int) -> None:
        last_ms = self._progress.beat_ms
        if now_ms - last_ms > self._away_ms:
            self._log.add_downtime(last_ms, now_ms)
        self._progress.beat_ms = now_ms
        self._fold.downtime = self._log.downtime(now_ms - _REMEMBER_MS)

    def _note_refusals(self) -> None:
        for refusal in self._log.new_refusals(self._progress.refusal_pos):
            self._progress.refusal_pos = refusal.pos
            host = self._fold.store.host_named(refusal.host)
            detail = {
                "code": refusal.code,
                "token": b64url_encode(refusal.token),
                "what": refusal.detail,
            }
            start = f"refusal/{refusal.pos}"
            self._fold.noting.occurred(
                host, Kind.REFUSED_REPORT, start, at_ms=refusal.received_ms, detail=detail
            )

    def _pulse(self, now_ms: int) -> None:
        pulse = Pulse(at=now_ms, random=b64url_encode(self._entropy(_PULSE_BYTES)))
        self._ground.record(EntryType.PULSE, _COLLECTOR, encode_canonical(pulse), now_ms)

    def _save(self, now_ms: int) -> None:
        self._log.save(self._progress, lease_until_ms=now_ms + LEASE_MS)
