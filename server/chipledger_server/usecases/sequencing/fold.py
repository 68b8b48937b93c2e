"""The fold: one accepted token after the other, in log order, to state and findings.

Everything derived comes from here, and from here alone. The same log gives the same state:
times are those of the tokens, never the clock's; replay recomputes everything by the same
calls. The plain case, a fresh heartbeat that continues its chain and names the inventory of the
last one, touches one object in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from chipledger_evidence.claims import FullReport, Heartbeat
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.inventory import Status
from chipledger_evidence.nonce import Freshness
from chipledger_server.config import Policy
from chipledger_server.domain.chain import Chain, Link, Ranges, count_missing, extend
from chipledger_server.domain.findings import MOST_LISTED, Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.liveness import Span, unseen_ms
from chipledger_server.usecases.sequencing.facts import Facts
from chipledger_server.usecases.sequencing.holdings import Holdings
from chipledger_server.usecases.sequencing.installing import Cause, Installing
from chipledger_server.usecases.sequencing.lifecycle import Lifecycle
from chipledger_server.usecases.sequencing.metering import Metering
from chipledger_server.usecases.sequencing.models import Models
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.quoting import Quoting
from chipledger_server.usecases.sequencing.signing import Signing
from chipledger_server.usecases.sequencing.silence import Silence
from chipledger_server.usecases.sequencing.store import SequenceStore
from chipledger_server.usecases.sequencing.watching import Watching


@dataclass(slots=True, kw_only=True)
class Fold:
    """Applies tokens; holds the hosts it has seen.

    Attributes:
        store: where state is kept.
        noting: where findings go.
        holdings: who says to hold which chip.
        signing: what chips signed, and whether they still do.
        metering: whether what only grows has grown.
        watching: whether inventories agree with earlier ones.
        silence: what happens when a host comes back.
        quoting: what hosts' TPMs say of themselves.
        lifecycle: what people decided of hosts.
        facts: what looking around found.
        installing: what is recorded of chips that come and move.
        models: which chip models are known.
        policy: what counts as odd, and as silent.
        downtime: when the collector itself was not accepting.
    """

    store: SequenceStore
    noting: Noting
    holdings: Holdings
    signing: Signing
    metering: Metering
    watching: Watching
    silence: Silence
    quoting: Quoting
    lifecycle: Lifecycle
    facts: Facts
    installing: Installing
    models: Models
    policy: Policy
    downtime: Sequence[Span] = ()

    def enrolled(self, host: HostState) -> None:
        """Begin to wait for a host, and note that another one bears its identity."""
        self.silence.enrolled(host)
        other = self.store.same_ueid(host)
        if other is not None:
            detail = {"other_host": other.id, "other_site": other.site}
            start = "enrolment"
            self.noting.occurred(
                host, Kind.UEID_REUSED, start, at_ms=host.enrolled_ms, detail=detail
            )

    def apply(self, token: LoggedToken) -> HostState:
        """Bring the token's host up to it, and note what it shows."""
        host = self.store.host(token.host)
        claims = token.claims
        chain = host.chain
        if claims.seq == chain.seq + 1 and claims.prev == chain.token:
            host.chain = Chain(seq=claims.seq, token=token.token, missing=chain.missing)
            host.head = token.identity
        else:
            self._link(host, token)
        host.received_ms = token.received_ms
        host.changed = True
        if token.freshness is not Freshness.LATE and claims.seq > host.fresh_seq:
            self._sight(host, token)
        if claims.resumed or claims.skipped or claims.conflict or claims.refused:
            self._said(host, token)
        if claims.tpm is not None:
            self.quoting.apply(host, token)
        elif not isinstance(claims, Heartbeat) and token.freshness is not Freshness.LATE:
            self.quoting.missed(host, token)
        if claims.evidence or claims.no_evidence:
            self.signing.answered(host, token)
        return host

    def judged(self, host: str, record: bytes) -> None:
        """Take up the result of a host's evidence, as it stands in the log."""
        result = msgspec.json.decode(record, type=EvidenceResult)
        state = self.store.host_named(host)
        self.signing.apply(state, result)
        if self.holdings.touched:
            self._install(state, result.token, at_ms=result.received, before_ms=state.fresh_ms)

    def _link(self, host: HostState, token: LoggedToken) -> None:
        claims = token.claims
        link = Link(seq=claims.seq, token=token.token, prev=claims.prev)
        around = self.store.neighbours(host.num, link, token.pos)
        host.chain, split = extend(host.chain, link, around)
        host.head = b64url_decode(host.chain.token)
        if split:
            self.noting.event(host, Kind.CHAIN_FORK, token, {"seq": claims.seq})
        missing = host.chain.missing
        self.noting.condition(host, Kind.CHAIN_GAP, token, _gap(missing) if missing else None)

    def _sight(self, host: HostState, token: LoggedToken) -> None:
        claims, at_ms = token.claims, token.received_ms
        before_ms = host.fresh_ms
        if host.odometers is None and host.run is not None:
            self.metering.recall(host)
        if (
            host.run is None
            or before_ms is None
            or claims.inv != host.inv
            or self._away(before_ms, at_ms)
        ):
            self._begin_run(host, token)
        if host.models != self.models.edition(at_ms) and host.run is not None:
            self._name_anew(host, token)
        self.metering.heard(host, token)
        host.fresh_ms, host.fresh_seq = at_ms, claims.seq
        if host.rivals and before_ms is not None:
            self.holdings.watch(host, before_ms, token)
        if host.silent_since_ms is not None:
            self.silence.returned(host, token)
        if host.signed_ms is not None or Kind.GRADE_DROP in host.open:
            self.signing.sighted(host, token)
        difference_s = claims.iat - at_ms // 1000
        odd = abs(difference_s) > self.policy.clock_odd_s
        if odd or Kind.CLOCK_ODD in host.open:
            detail = {"difference_s": difference_s} if odd else None
            self.noting.condition(host, Kind.CLOCK_ODD, token, detail)
        if not self.holdings.touched and isinstance(claims, FullReport) and host.run is not None:
            self.holdings.touched.update(self.installing.unplaced(host))
        if self.holdings.touched:
            self._install(host, token.token, at_ms=at_ms, before_ms=before_ms)

    def _install(self, host: HostState, token: str, *, at_ms: int, before_ms: int | None) -> None:
        """Record where the chips are now that a host's word may have moved."""
        cause = Cause(
            token=token, at_ms=at_ms, host=host.id, before_ms=before_ms, downtime=self.downtime
        )
        self.installing.look(self.holdings.touched, cause)
        self.holdings.touched.clear()

    def _away(self, before_ms: int, at_ms: int) -> bool:
        limit_ms = self.policy.silence_limit_ms
        return (
            at_ms - before_ms > limit_ms and unseen_ms(before_ms, at_ms, self.downtime) > limit_ms
        )

    def _begin_run(self, host: HostState, token: LoggedToken) -> None:
        """End the running run where it was last seen, and begin one if the inventory is known."""
        claims = token.claims
        if host.run is not None and host.fresh_ms is not None:
            self.store.end_run(host.run, host.fresh_ms)
        again = claims.inv == host.inv and host.run is not None
        host.run, host.inv = None, claims.inv
        inventory = (
            claims.inventory
            if isinstance(claims, FullReport)
            else self.store.inventory(claims.inv, token.pos)
        )
        if inventory is None:
            return
        if host.held is None or inventory.status is Status.OK:
            host.held = claims.inv
        host.run = self.store.begin_run(host, claims.inv, token.received_ms)
        if not again:
            chips = host.chips
            self.holdings.take(host, inventory, token)
            self.watching.taken(host, inventory, chips, token)
            self.signing.expect(host)

    def _name_anew(self, host: HostState, token: LoggedToken) -> None:
        """Name the models of a host again that other rows of the catalogue may hold now."""
        inventory = self.store.inventory(token.claims.inv, token.pos)
        if inventory is not None:
            self.holdings.name(host, inventory, token)

    def _said(self, host: HostState, token: LoggedToken) -> None:
        claims = token.claims
        if claims.resumed:
            self.noting.event(host, Kind.CHAIN_RESUMED, token, {"seq": claims.seq})
        if claims.skipped:
            self.noting.event(host, Kind.SCANS_SKIPPED, token, {"skipped": claims.skipped})
        if claims.conflict:
            checkpoints = list(claims.conflict)
            self.noting.event(host, Kind.LOG_CONFLICT, token, {"checkpoints": checkpoints})
        for refused in claims.refused:  # the finding is the sequencer's, as for our own refusals
            self.store.put_refused(host.id, refused, token.received_ms)


def _gap(missing: Ranges) -> dict[str, object]:
    listed = [
        f"{first}-{last}" if last > first else str(first) for first, last in missing[:MOST_LISTED]
    ]
    return {"count": count_missing(missing), "missing": listed}
