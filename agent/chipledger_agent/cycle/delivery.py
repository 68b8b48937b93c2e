"""Sending what waits, in order, and filing each report by its answer."""

from collections.abc import Sequence

import msgspec

from chipledger_agent.cycle.contact import Contact
from chipledger_agent.cycle.outcome import Outcome
from chipledger_agent.domain.chain import Link
from chipledger_agent.domain.failures import (
    AgentCode,
    AgentError,
    CollectorRefused,
    CollectorUnavailable,
)
from chipledger_agent.ports import Clock, Collector, Journal, Notifier, Report, Spool
from chipledger_evidence.answers import TRY_AGAIN, RefusedToken, ReportAnswer, Stored
from chipledger_evidence.claims import FULL_PROFILES, Refused
from chipledger_evidence.errors import Code
from chipledger_evidence.framing import MAX_BLOBS, MAX_TOKENS
from chipledger_evidence.token import parse_header

MAX_BATCH_BYTES = 1024 * 1024
"""A batch stays well below what one request may hold, for collectors behind small proxies."""

NOT_THIS_REPORT = frozenset({Code.UNKNOWN_KEY, Code.REVOKED_KEY})
"""Refusals that speak of the host: every report would meet them, so all wait for a person."""

FAULTS_OF_A_BODY = frozenset(
    {
        Code.OVERSIZE,
        Code.MALFORMED_FRAMING,
        Code.MALFORMED_JSON,
        Code.NOT_CANONICAL,
        Code.MALFORMED_TOKEN,
        Code.MALFORMED_BASE64,
    }
)
"""Refusals of a whole request that, when it held one report, are that report's fault."""

NONCE_FAULTS = frozenset({Code.SPENT_NONCE, Code.FOREIGN_NONCE})

Batch = Sequence[tuple[Link, Report]]


class _Named(msgspec.Struct, frozen=True):
    """The members of our own claims that decide what an acknowledgement means."""

    eat_profile: str
    refused: tuple[Refused, ...] = ()


class Delivery:
    """Empties the spool into the collector as far as that is possible now."""

    def __init__(
        self,
        *,
        spool: Spool,
        collector: Collector,
        contact: Contact,
        clock: Clock,
        notifier: Notifier,
        journal: Journal,
        kid: str,
    ) -> None:
        self._spool = spool
        self._kid = kid
        self._collector = collector
        self._contact = contact
        self._clock = clock
        self._notifier = notifier
        self._journal = journal

    def run(self, outcome: Outcome) -> None:
        """Send the waiting reports, oldest first, until none waits or the collector fails.

        A report leaves the folder of those waiting only after its own answer was understood.
        """
        try:
            self._send_all(outcome)
        except AgentError as error:  # our own disk: what was answered is asked again later
            self._journal.trouble("filing-failed", code=error.code, detail=error.detail)
            outcome.failure = error.code
        self._contact.save()

    def _send_all(self, outcome: Outcome) -> None:
        limit = MAX_TOKENS
        while self._may_send() and (waiting := self._spool.waiting()):
            batch = self._load(waiting[:limit])
            if not batch:
                continue
            try:
                answer = self._ask(batch)
            except CollectorUnavailable as error:
                self._contact.failed(error)
                return
            except CollectorRefused as error:
                if len(batch) > 1:
                    limit = len(batch) // 2  # find the one at fault, let the others pass
                elif error.code in FAULTS_OF_A_BODY:
                    self._put_aside(batch[0][0], error.code, outcome)
                else:
                    self._contact.failed(error)
                    return
            else:
                if not self._file(batch, answer, outcome):
                    return
                self._contact.answered()

    def _may_send(self) -> bool:
        return not self._contact.stopping and self._contact.pause_s() == 0

    def _load(self, links: Sequence[Link]) -> Batch:
        batch: list[tuple[Link, Report]] = []
        size = blobs = 0
        for link in links:
            try:
                report = self._spool.load(link)
            except AgentError as error:
                if error.code != AgentCode.REPORT_UNREADABLE:
                    raise
                self._journal.trouble("report-unreadable", seq=link.seq, detail=error.detail)
                self._spool.put_aside(link, code=AgentCode.REPORT_UNREADABLE)
                continue
            size += len(report.token.payload) + sum(map(len, report.blobs))
            blobs += len(report.blobs)
            if batch and (size > MAX_BATCH_BYTES or blobs > MAX_BLOBS):
                break
            batch.append((link, report))
        return batch

    def _ask(self, batch: Batch) -> ReportAnswer:
        blobs = dict.fromkeys(blob for _, report in batch for blob in report.blobs)
        answer = self._collector.deliver([report.token for _, report in batch], tuple(blobs))
        named = [result.token for result in answer.results]
        if named != [link.token for link, _ in batch]:
            raise CollectorUnavailable(
                AgentCode.COLLECTOR_CONFUSED,
                f"{len(named)} results that do not name the {len(batch)} reports sent",
                hint="is another program answering at the collector's address?",
            )
        return answer

    def _file(self, batch: Batch, answer: ReportAnswer, outcome: Outcome) -> bool:
        """File each report by its result; return whether it makes sense to send more."""
        full_stored = nonce_refused = False
        put_off: RefusedToken | None = None
        for (link, report), result in zip(batch, answer.results, strict=True):
            if isinstance(result, Stored):
                said = msgspec.json.decode(report.token.payload, type=_Named)
                full_stored |= said.eat_profile in FULL_PROFILES
                self._acknowledge(link, said, outcome)
            elif result.code in TRY_AGAIN or self._speaks_of_host(result, report):
                put_off = result  # it keeps its place
            else:
                nonce_refused |= result.code in NONCE_FAULTS
                self._refused(link, result, outcome)
        if put_off is not None and put_off.code in NOT_THIS_REPORT:
            self._contact.failed(_put_off(put_off))
            return False  # its epoch value was not made for this host
        state = self._contact.state
        asked = answer.want == "full" or nonce_refused
        self._contact.state = msgspec.structs.replace(
            state,
            epoch=answer.epoch,
            want_full=asked or (state.want_full and not full_stored),
            contact_s=self._clock.now_s(),
            want_evidence=state.want_evidence or answer.want == "evidence",
        )
        if put_off is not None:
            self._contact.failed(_put_off(put_off))
            return False
        self._notifier.progress(f"delivered up to report {batch[-1][0].seq}")
        return True

    def _speaks_of_host(self, result: RefusedToken, report: Report) -> bool:
        """Tell whether a refusal is of the host's present key; one before it never returns."""
        return result.code in NOT_THIS_REPORT and parse_header(report.token.header).kid == self._kid

    def _acknowledge(self, link: Link, said: _Named, outcome: Outcome) -> None:
        # First what the report told, then the report: the other way round, a crash in between
        # would tell it again for ever.
        if said.refused:
            self._spool.told(said.refused)
        self._spool.acknowledge(link, now_s=self._clock.now_s())
        outcome.stored += 1

    def _refused(self, link: Link, result: RefusedToken, outcome: Outcome) -> None:
        self._journal.trouble(
            "report-refused", seq=link.seq, token=link.token, code=result.code, detail=result.detail
        )
        self._put_aside(link, result.code, outcome)

    def _put_aside(self, link: Link, code: str, outcome: Outcome) -> None:
        self._spool.put_aside(link, code=code)
        # It may have been the full report that heartbeats refer to: make a new one.
        self._contact.state = msgspec.structs.replace(self._contact.state, last_full=None)
        outcome.refused.append(code)


def _put_off(result: RefusedToken) -> AgentError:
    if result.code in TRY_AGAIN:
        return CollectorUnavailable(result.code, result.detail)
    return CollectorRefused(
        result.code,
        result.detail,
        hint="the collector does not accept this host's key: enrol it again",
    )
