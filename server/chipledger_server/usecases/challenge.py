"""Challenges: nothing is written, nothing is promised, a stranger learns nothing of use."""

from collections.abc import Sequence

from chipledger_evidence.answers import ChainHead, Challenge, ChallengeRequest
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_server.config import Policy
from chipledger_server.domain.vitals import Doors
from chipledger_server.ports import Clock, Entropy
from chipledger_server.usecases.keys import Keys


class Challenges:
    """The challenges' door, without its HTTP."""

    def __init__(
        self,
        *,
        keys: Keys,
        clock: Clock,
        entropy: Entropy,
        nonce_keys: Sequence[bytes],
        policy: Policy,
        counts: Doors,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._nonce_key = nonce_keys[0]
        self._counts = counts
        self._ttl_s = policy.challenge_ttl_s
        self._evidence_ttl_s = policy.evidence_ttl_s

    def make(self, request: ChallengeRequest) -> Challenge:
        """Return a nonce for the host, and where its chain stands.

        Raises:
            EvidenceError: `unknown-key` for a pair of host and key that is not enrolled,
                `revoked-key`.
        """
        known = self._keys.find(request.kid)
        if known is None or known.trust.host != request.host:
            raise EvidenceError(
                Code.UNKNOWN_KEY,
                f"no host {request.host} is enrolled with key {request.kid}",
                hint="enrol first",
            )
        if known.trust.revoked:
            raise EvidenceError(Code.REVOKED_KEY, f"key {request.kid} of {request.host} is revoked")
        for_evidence = request.purpose == "evidence"
        ttl_s = self._evidence_ttl_s if for_evidence else self._ttl_s
        expires_s = self._clock.now_ms() // 1000 + ttl_s
        nonce = mint(
            self._nonce_key,
            kind=Kind.EVIDENCE if for_evidence else Kind.CHALLENGE,
            host=request.host,
            time_s=expires_s,
            random=self._entropy(RANDOM_BYTES),
        )
        self._counts.challenges += 1
        return Challenge(
            expires=expires_s,
            head=ChainHead(seq=known.head_seq, token=known.head_token),
            nonce=b64url_encode(nonce),
            want=None if known.inventories else "full",
        )
