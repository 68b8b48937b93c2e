"""The cycle itself; the package's docstring states its order of writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from chipledger_agent.cycle.contact import Contact
from chipledger_agent.cycle.delivery import Delivery
from chipledger_agent.cycle.evidence import Rounds
from chipledger_agent.cycle.outcome import Outcome, Signed
from chipledger_agent.domain.chain import InStep, Link, Resend, Resume, agree
from chipledger_agent.domain.claims import Identity, Moment, Scan, build_claims
from chipledger_agent.domain.evidence import Packed, is_due
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.plan import Cause, LastFull, LastQuote, full_cause, quote_due
from chipledger_agent.domain.state import State
from chipledger_agent.ports import (
    Boot,
    Clock,
    Collector,
    Entropy,
    EvidenceSource,
    HostFacts,
    Journal,
    Notifier,
    Quoter,
    Scanner,
    Spool,
    StateStore,
)
from chipledger_evidence.answers import ChallengeRequest, Purpose
from chipledger_evidence.claims import AnyClaims
from chipledger_evidence.codec import decode_strict
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.inventory import inventory_digest
from chipledger_evidence.keys import Signer
from chipledger_evidence.token import Token, sign_token
from chipledger_evidence.tpm.quote import quoted_digest

_NO_CHALLENGE = ("", 0)
_SPARE_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the cycle is told.

    Attributes:
        identity: who signs.
        first_epoch: epoch value of the enrolment, for a host without any state.
        full_period_s: a full report at least this often.
        evidence_interval_s: devices are asked for evidence at most this often, unasked.
        quote_interval_s: the TPM is asked for a quote at every boot, and then this often.
    """

    identity: Identity
    first_epoch: str
    full_period_s: int
    evidence_interval_s: int = 12 * 3600
    quote_interval_s: int = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the cycle stands on."""

    scanner: Scanner
    facts: HostFacts
    clock: Clock
    entropy: Entropy
    signer: Signer
    collector: Collector
    spool: Spool
    states: StateStore
    notifier: Notifier
    journal: Journal
    evidence: tuple[EvidenceSource, ...] = ()
    quoter: Quoter | None = None


class Cycle:
    """One host's reporting. Not thread-safe: one call at a time.

    No method raises for a fault of collector or driver: those are in the outcome, and so is a
    disk that does not take a report. Only a spool that cannot even be read is an `AgentError`.
    """

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self._settings = settings
        self._ports = ports
        self._contact = Contact(
            states=ports.states,
            clock=ports.clock,
            entropy=ports.entropy,
            journal=ports.journal,
            first=State(epoch=settings.first_epoch),
        )
        self._delivery = Delivery(
            spool=ports.spool,
            collector=ports.collector,
            contact=self._contact,
            clock=ports.clock,
            notifier=ports.notifier,
            journal=ports.journal,
            kid=ports.signer.public.kid,
        )
        self._rounds = Rounds(
            ports.evidence,
            thumbprint=ports.signer.public.kid,
            clock=ports.clock,
            notifier=ports.notifier,
        )
        self._agreed = False  # the collector's head was compared since we last lost touch
        self._resume: Link | None = None
        self._spare = _NO_CHALLENGE

    def run(self, *, missed: int = 0) -> Outcome:
        """Make one report of the machine and deliver all that waits.

        Args:
            missed: scans that were due since the last run and not made, to be counted.
        """
        outcome = Outcome()
        for _ in range(missed):
            self._skip("overrun", "the run before was still at work", Outcome())
        # The backlog first: a challenge lives two minutes, and reports are delivered in order.
        self._deliver(outcome)
        if not self._ports.spool.has_room():
            self._skip(AgentCode.SPOOL_FULL, "as many reports wait as may", outcome)
            return self._finish(outcome)
        scan = self._ports.scanner.scan()
        outcome.scan_status = str(scan.inventory.status)
        self._ports.notifier.progress("scanned")
        self._report(scan, outcome)
        if self._contact.state.want_full and not self._contact.pause_s() and not outcome.skipped:
            self._report(scan, outcome)
        self._evidence(scan, outcome)
        self._prune()
        return self._finish(outcome)

    def stop(self) -> None:
        """Begin no further request; may be called from another thread."""
        self._contact.stopping = True

    def deliver(self) -> Outcome:
        """Deliver what waits, without a scan."""
        outcome = Outcome()
        self._deliver(outcome)
        return self._finish(outcome)

    def _deliver(self, outcome: Outcome) -> None:
        # Compare first: once newer reports arrived, the collector's head hides those it lost.
        if not self._agreed and not self._contact.pause_s():
            self._spare = (self._challenge(), self._ports.clock.monotonic_ms())
        self._delivery.run(outcome)
        if self._contact.pause_s() or outcome.failure:
            self._agreed = False

    def _report(self, scan: Scan, outcome: Outcome) -> None:
        self._keep_one(lambda: self._make(scan, outcome), outcome)

    def _evidence(self, scan: Scan, outcome: Outcome) -> None:
        """Ask the devices for evidence when that is due, and report it in a token of its own.

        After the ordinary report, which it must never delay: devices may take minutes.
        """
        state, now_s = self._contact.state, self._ports.clock.now_s()
        due = is_due(
            last_s=state.last_round_s,
            now_s=now_s,
            interval_s=self._settings.evidence_interval_s,
            wanted=state.want_evidence,
            asks=self._rounds.asks,
        )
        if not due or outcome.skipped or self._contact.stopping or not self._ports.spool.has_room():
            return
        nonce = self._challenge("evidence")
        if not nonce:
            return
        # First noted, then asked: a machine that dies of the question is not asked in a loop.
        self._note_round(now_s)
        packed = self._rounds.ask(nonce, scan.inventory)
        self._ports.journal.event(
            "evidence-asked", pieces=len(packed.refs), reasons=len(packed.reasons)
        )
        self._keep_one(lambda: self._sign(scan, nonce=nonce, packed=packed), outcome)
        self._note_round(now_s)  # what the answer wished was wished before it was looked at

    def _note_round(self, now_s: int) -> None:
        self._contact.state = msgspec.structs.replace(
            self._contact.state, want_evidence=False, last_round_s=now_s
        )
        self._contact.save()

    def _keep_one(self, make: Callable[[], Signed | None], outcome: Outcome) -> None:
        try:
            signed = make()
        except AgentError as error:
            self._skip(error.code, error.detail, outcome)
            return
        if signed is not None:
            outcome.signed.append(signed)
        self._deliver(outcome)

    def _make(self, scan: Scan, outcome: Outcome) -> Signed | None:
        """Sign a report of `scan` over the best nonce to be had, or count it as skipped."""
        boot = self._ports.facts.boot()
        inv = inventory_digest(scan.inventory)
        fresh = self._spare_challenge()
        if not fresh and (
            self._cause(inv, boot) or not self._agreed or not self._contact.state.epoch
        ):
            fresh = self._challenge()
        nonce = fresh or self._contact.state.epoch
        if not nonce:
            code = self._contact.failure or AgentCode.COLLECTOR_UNREACHABLE
            self._skip(code, "the collector never gave a value to echo", outcome)
            return None
        return self._sign(scan, nonce=nonce, challenged=bool(fresh))

    def _sign(
        self, scan: Scan, *, nonce: str, packed: Packed | None = None, challenged: bool = True
    ) -> Signed:
        """Sign a report of `scan` that echoes `nonce`, and make it durable with its evidence."""
        boot = self._ports.facts.boot()
        inv = inventory_digest(scan.inventory)
        cause = self._cause(inv, boot)  # the challenge's answer may have asked for one
        if packed is None:  # daily at least, somebody must say why no chip signs
            packed = Packed(reasons=self._rounds.standing_reasons(scan.inventory) if cause else ())
        moment = self._moment(inv, boot, nonce=nonce, packed=packed)
        claims = build_claims(scan, moment, self._settings.identity, cause=cause)
        claims = self._quoted(claims, boot)
        token = sign_token(claims, self._ports.signer)
        self._keep(moment, token, packed.blobs)
        if claims.tpm is not None:
            self._contact.state = msgspec.structs.replace(
                self._contact.state,
                last_quote=LastQuote(bootseed=boot.bootseed, iat_s=claims.iat),
            )
            self._contact.save()
        if cause is not None:
            made = LastFull(inv=inv, bootseed=boot.bootseed, iat_s=moment.iat_s)
            self._contact.state = msgspec.structs.replace(
                self._contact.state, last_full=made, want_full=False
            )
            self._contact.save()
        return Signed(
            seq=moment.after.seq + 1,
            cause=cause,
            challenged=challenged,
            resumed=moment.resumed,
        )

    def _quoted(self, claims: AnyClaims, boot: Boot) -> AnyClaims:
        """Return `claims` with a quote over them where one is due; without, where it fails."""
        due = quote_due(
            self._contact.state.last_quote,
            now=LastQuote(bootseed=boot.bootseed, iat_s=claims.iat),
            period_s=self._settings.quote_interval_s,
        )
        if self._ports.quoter is None or not due:
            return claims
        try:
            quote = self._ports.quoter.quote(quoted_digest(claims))
        except AgentError as error:
            self._ports.journal.trouble("quote-failed", code=error.code, detail=error.detail)
            return claims
        return msgspec.structs.replace(claims, tpm=quote)

    def _cause(self, inv: str, boot: Boot) -> Cause | None:
        now_s = self._ports.clock.now_s()
        return full_cause(
            self._contact.state.last_full,
            now=LastFull(inv=inv, bootseed=boot.bootseed, iat_s=now_s),
            period_s=self._settings.full_period_s,
            requested=self._contact.state.want_full,
        )

    def _moment(self, inv: str, boot: Boot, *, nonce: str, packed: Packed) -> Moment:
        spool = self._ports.spool
        resume = self._resume
        return Moment(
            after=spool.head() if resume is None else resume,
            resumed=resume is not None,
            nonce=nonce,
            iat_s=self._ports.clock.now_s(),
            bootseed=boot.bootseed,
            uptime_s=boot.uptime_s,
            inv=inv,
            skipped=spool.skipped(),
            refused=tuple(spool.untold()),
            packed=packed,
        )

    def _keep(self, moment: Moment, token: Token, blobs: Sequence[bytes]) -> None:
        """Make `token` and its blobs durable, if a collector could take it, or raise."""
        try:
            decode_strict(token.payload, AnyClaims)  # type: ignore[arg-type] # a union is fine
        except EvidenceError as error:
            oversize = error.code is Code.OVERSIZE
            code = AgentCode.REPORT_TOO_LARGE if oversize else AgentCode.REPORT_MALFORMED
            raise AgentError(code, error.detail) from error
        self._ports.spool.keep(moment.after.seq + 1, token, blobs)
        self._resume = None

    def _spare_challenge(self) -> str:
        """Return the challenge of the comparison while it can still arrive in time."""
        (nonce, asked_ms), self._spare = self._spare, _NO_CHALLENGE
        young = self._ports.clock.monotonic_ms() - asked_ms < _SPARE_MS
        return nonce if young else ""

    def _challenge(self, purpose: Purpose = "report") -> str:
        """Return a challenge, after agreeing with the collector on the chain; empty when none."""
        if self._contact.pause_s():
            return ""
        request = ChallengeRequest(
            host=self._settings.identity.host,
            kid=self._ports.signer.public.kid,
            purpose=purpose,
        )
        try:
            answer = self._ports.collector.challenge(request)
        except AgentError as error:
            self._contact.failed(error)
            self._agreed = False
            return ""
        self._contact.answered()
        spool = self._ports.spool
        known = spool.known()
        self._follow(
            agree(
                head=spool.head(),
                known=known,
                acknowledged=spool.acknowledged(),
                collector=answer.head,
            )
        )
        self._agreed = True
        wish = {"full": "want_full", "evidence": "want_evidence"}.get(answer.want or "")
        if wish is not None:
            self._contact.state = msgspec.structs.replace(self._contact.state, **{wish: True})
        return answer.nonce

    def _follow(self, agreement: Resume | Resend | InStep) -> None:
        self._resume = None
        match agreement:
            case Resume(head=head):
                self._resume = head
                self._ports.journal.trouble("chain-resumed", seq=head.seq, token=head.token)
            case Resend(after_seq=after_seq):
                count = self._ports.spool.requeue(after_seq=after_seq)
                self._ports.journal.trouble("reports-sent-again", after=after_seq, count=count)
            case InStep():
                pass

    def _skip(self, code: str, detail: str, outcome: Outcome) -> None:
        outcome.skipped = code
        self._ports.journal.trouble("scan-skipped", code=code, detail=detail)
        try:
            self._ports.spool.count_skip()
        except AgentError as error:
            self._ports.journal.trouble("skip-not-saved", code=error.code, detail=error.detail)

    def _prune(self) -> None:
        if self._contact.pause_s() or not self._agreed:
            return  # a collector that comes back restored may want even the oldest again
        try:
            self._ports.spool.prune(now_s=self._ports.clock.now_s())
        except AgentError as error:
            self._ports.journal.trouble("prune-failed", code=error.code, detail=error.detail)

    def _finish(self, outcome: Outcome) -> Outcome:
        outcome.waiting = len(self._ports.spool.waiting())
        if outcome.waiting and (pause_s := self._contact.pause_s()):
            outcome.failure = outcome.failure or self._contact.failure
            outcome.retry_in_s = pause_s
        self._ports.notifier.progress(f"{outcome.waiting} reports wait")
        return outcome
