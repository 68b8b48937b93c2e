"""A collector in memory that keeps the rules of docs/WIRE.md, and fails when told to.

It is one side of the contract suite `tests/contract/test_collector_port.py`; whatever it does
that the real collector does not is a fault of one of the two.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chipledger_agent.domain.failures import (
    CollectorRefused,
    CollectorUnavailable,
)
from chipledger_agent.ports import Clock, Health
from chipledger_evidence.answers import (
    ChainHead,
    Challenge,
    ChallengeRequest,
    RefusedToken,
    ReportAnswer,
    Stored,
    Want,
)
from chipledger_evidence.claims import AnyClaims, FullReport, SealedReport
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, open_enrolment
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.framing import MAX_TOKENS
from chipledger_evidence.ids import NO_PREVIOUS, HostId, SiteId, TokenId, sha256_b64
from chipledger_evidence.keys import PublicKey
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, judge, mint
from chipledger_evidence.rotation import open_rotation, rotating_kid
from chipledger_evidence.token import Token
from chipledger_evidence.verify import HostTrust, VerifiedToken, verify_token

CHALLENGE_TTL_S = 120
EVIDENCE_TTL_S = 600
EPOCH_WINDOW_S = 4 * 3600
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens to the next request instead of a good answer.

    Attributes:
        code: code of the problem.
        after: the request is worked off first and its answer lost.
        refused: the request as a whole is refused rather than put off.
        retry_after_s: what the collector asks for.
    """

    code: str = "collector-busy"
    after: bool = False
    refused: bool = False
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A token that is durable, with the answer it got."""

    claims: AnyClaims
    answer: Stored


class SimulatedCollector:
    """One collector with any number of hosts. Sites are test sites.

    Attributes:
        kept: every stored token by identity, in order of arrival.
        enrolled: trust in each key.
        blobs: every evidence blob that came, by digest.
        wants_full: ask for a full report at the next answer.
        wants_evidence: ask for device evidence, where no full report is wanted.
        trouble: what happens to the next requests, first first.
        indigestible: reports that make the collector refuse the whole body they come in.
        not_now: codes with which the next new tokens are put off, empty text for none.
        requests: how many requests of each kind came.
        tells_time: whether the answer about its health has a clock.
    """

    def __init__(self, clock: Clock, *, name: str = "sim.example", interval_s: int = 3600) -> None:
        self._clock = clock
        self._name = name
        self._interval_s = interval_s
        self._key = hashlib.sha256(name.encode()).digest()
        self._minted = 0
        self._codes: dict[str, SiteId] = {}
        self._used: dict[str, tuple[str, Enrolment]] = {}
        self._spent: dict[str, TokenId] = {}
        self.enrolled: dict[str, HostTrust] = {}
        self.kept: dict[TokenId, Kept] = {}
        self.blobs: dict[str, bytes] = {}
        self.wants_full = False
        self.wants_evidence = False
        self.tells_time = True
        self.trouble: list[Trouble] = []
        self.indigestible: set[TokenId] = set()
        self.not_now: list[str] = []
        self.requests = {"enrol": 0, "challenge": 0, "deliver": 0, "health": 0}

    # what a test arranges

    def give_code(self, site: str, *, number: int = 1) -> str:
        """Return an enrolment code that admits one host to `site`."""
        digest = hashlib.sha256(f"{self._name} {site} {number}".encode()).digest()
        code = "ce-" + "".join(_BASE32[octet % 32] for octet in digest)
        self._codes[code] = SiteId(site)
        return code

    def admit(self, key: PublicKey, *, host: str, site: str) -> str:
        """Enrol `key` without asking; return a first epoch value."""
        self.enrolled[key.kid] = HostTrust(
            host=HostId(host), site=SiteId(site), key=key, test_site=True
        )
        return self._mint(Kind.EPOCH, host, self._clock.now_s())

    def forget_after(self, seq: int) -> None:
        """Become a collector restored from a backup that ends with `seq`."""
        self.kept = {token: kept for token, kept in self.kept.items() if kept.claims.seq <= seq}

    def change_nonce_key(self) -> None:
        """Lose the nonce key: every value given out before becomes foreign."""
        self._key = hashlib.sha256(self._key).digest()

    def claims(self) -> list[AnyClaims]:
        """Return the claims of every stored token in order of arrival."""
        return [kept.claims for kept in self.kept.values()]

    # the port

    def enrol(self, request: bytes) -> Enrolment:
        """Return the enrolment of the key that signed `request`."""
        lost = self._begin("enrol")
        answer = self._enrol(request)
        self._end(lost)
        return answer

    def activate(self, request: bytes) -> Enrolment:
        """Refuse: nobody with a TPM was challenged here."""
        self._end(self._begin("enrol"))
        raise CollectorRefused("activation-unknown", f"{len(request)} bytes")

    def rotate(self, request: bytes) -> Enrolment:
        """Return the enrolment with the key that the present one lets in."""
        lost = self._begin("enrol")
        try:
            old = self.enrolled[rotating_kid(request)]
            said, key = open_rotation(request, old.key)
        except (EvidenceError, KeyError) as error:
            raise CollectorRefused("unknown-key", str(error)) from error
        epoch = self.admit(key, host=old.host, site=old.site)
        self.enrolled[said.previous] = replace(old, revoked=True)
        answer = self._enrolment(key, host=old.host, site=old.site, epoch=epoch)
        self._end(lost)
        return answer

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Return a fresh nonce and the head of the host's chain."""
        lost = self._begin("challenge")
        trust = self.enrolled.get(request.kid)
        if trust is None or trust.host != request.host:
            raise CollectorRefused(Code.UNKNOWN_KEY, f"no host with key {request.kid}")
        for_evidence = request.purpose == "evidence"
        expires = self._clock.now_s() + (EVIDENCE_TTL_S if for_evidence else CHALLENGE_TTL_S)
        answer = Challenge(
            expires=expires,
            head=self._head(request.host),
            nonce=self._mint(
                Kind.EVIDENCE if for_evidence else Kind.CHALLENGE, request.host, expires
            ),
            want=self._want(),
        )
        self._end(lost)
        return answer

    def deliver(self, tokens: Sequence[Token], blobs: Sequence[bytes] = ()) -> ReportAnswer:
        """Return one result a token, in order."""
        lost = self._begin("deliver")
        if not 0 < len(tokens) <= MAX_TOKENS:
            raise CollectorRefused(Code.OVERSIZE, f"{len(tokens)} tokens in one body")
        if not self.indigestible.isdisjoint(token.identity for token in tokens):
            raise CollectorRefused(Code.MALFORMED_FRAMING, "as the test asked")
        self.blobs |= {sha256_b64(blob): blob for blob in blobs}
        results = [self._take(token) for token in tokens]
        newest = next((kept for kept in reversed(self.kept.values())), None)
        unknown = newest is not None and not self._knows(newest.claims)
        trust = self._trust_of(tokens[0])
        answer = ReportAnswer(
            epoch=self._mint(Kind.EPOCH, trust, self._clock.now_s()),
            results=tuple(results),
            want=self._want(unknown=unknown),
        )
        self._end(lost)
        return answer

    def health(self) -> Health:
        """Return that it works."""
        self._end(self._begin("health"))
        clock_s = self._clock.now_s() if self.tells_time else None
        return Health(working=True, clock_s=clock_s, facts={"name": self._name})

    # the rules

    def _want(self, *, unknown: bool = False) -> Want | None:
        if self.wants_full or unknown:
            return "full"
        return "evidence" if self.wants_evidence else None

    def _enrol(self, body: bytes) -> Enrolment:
        try:
            request, key = open_enrolment(body)
        except EvidenceError as error:
            raise CollectorRefused(error.code, error.detail) from error
        site = self._codes.get(request.code)
        if site is None:
            raise CollectorRefused("unknown-enrolment-code", "no such code")
        if request.code in self._used:
            kid, answer = self._used[request.code]
            if kid != key.kid:
                raise CollectorRefused("used-enrolment-code", "the code is used up")
            return answer
        return self._admit_host(request, key, site)

    def _admit_host(self, request: EnrolmentRequest, key: PublicKey, site: SiteId) -> Enrolment:
        digest = hashlib.sha256(key.kid.encode()).digest()
        host = "h-" + "".join(_BASE32[octet % 32] for octet in digest[:26])
        epoch = self.admit(key, host=host, site=site)
        answer = self._enrolment(key, host=host, site=site, epoch=epoch)
        self._used[request.code] = (key.kid, answer)
        return answer

    def _enrolment(self, key: PublicKey, *, host: str, site: str, epoch: str) -> Enrolment:
        return Enrolment(
            collector=self._name,
            epoch=epoch,
            full_interval_s=86_400,
            host=host,
            interval_s=self._interval_s,
            kid=key.kid,
            leaf=sha256_b64(b"enrolment " + key.kid.encode()),
            site=site,
            tier=KeyTier.SOFTWARE,
        )

    def _take(self, token: Token) -> Stored | RefusedToken:
        kept = self.kept.get(token.identity)
        if kept is not None:
            return kept.answer
        if self.not_now:
            code = self.not_now.pop(0)
            if code:
                return RefusedToken(code=code, detail="not now", token=token.identity)
        try:
            verified = verify_token(token, self.enrolled.get)
            freshness = self._judge(verified)
        except EvidenceError as error:
            return RefusedToken(code=error.code, detail=error.detail[:256], token=token.identity)
        answer = Stored(
            freshness=freshness,
            leaf=sha256_b64(b"leaf " + token.identity.encode()),
            received=self._clock.now_s() * 1000,
            token=token.identity,
        )
        claims = verified.claims
        if isinstance(claims, SealedReport):
            raise TypeError("nothing was known, so nothing stays sealed")
        self.kept[token.identity] = Kept(claims=claims, answer=answer)
        return answer

    def _judge(self, verified: VerifiedToken) -> Literal["challenged", "epoch", "late"]:
        nonce = verified.claims.eat_nonce
        echo = judge(
            b64url_decode(nonce),
            keys=[self._key],
            host=verified.claims.host,
            now_s=self._clock.now_s(),
            epoch_window_s=EPOCH_WINDOW_S,
        )
        single_use = echo.kind is not Kind.EPOCH
        if single_use and self._spent.setdefault(nonce, verified.identity) != verified.identity:
            raise EvidenceError(Code.SPENT_NONCE, "another token echoed it")
        return echo.freshness.value

    def _knows(self, claims: AnyClaims) -> bool:
        return any(
            isinstance(kept.claims, FullReport) and kept.claims.inv == claims.inv
            for kept in self.kept.values()
            if kept.claims.host == claims.host
        )

    def _head(self, host: str) -> ChainHead:
        links = [
            (kept.claims.seq, token)
            for token, kept in self.kept.items()
            if kept.claims.host == host
        ]
        seq, identity = max(links, default=(0, TokenId(NO_PREVIOUS)))
        return ChainHead(seq=seq, token=identity)

    def _trust_of(self, token: Token) -> str:
        for trust in self.enrolled.values():
            if trust.host.encode() in token.payload:
                return trust.host
        return ""

    def _mint(self, kind: Kind, host: str, time_s: int) -> str:
        self._minted += 1
        chance = self._minted.to_bytes(RANDOM_BYTES)
        return b64url_encode(mint(self._key, kind=kind, host=host, time_s=time_s, random=chance))

    def _begin(self, kind: str) -> Trouble | None:
        self.requests[kind] += 1
        trouble = self.trouble.pop(0) if self.trouble else None
        if trouble is not None and not trouble.after:
            self._raise(trouble)
        return trouble

    def _end(self, lost: Trouble | None) -> None:
        if lost is not None:
            self._raise(lost)

    def _raise(self, trouble: Trouble) -> None:
        if trouble.refused:
            raise CollectorRefused(trouble.code, "as the test asked")
        raise CollectorUnavailable(
            trouble.code, "as the test asked", retry_after_s=trouble.retry_after_s
        )
