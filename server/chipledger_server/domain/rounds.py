"""Judging the evidence of one round: bytes, pins and time in, a result out. Pure.

Runs in a worker process: it parses what a host that may be the cheat has chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.device import DeviceClass
from chipledger_evidence.gpu.envelope import device_nonce
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, Reason, level
from chipledger_evidence.gpu.result import EvidenceResult, Piece
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_evidence.gpu.verify import verify_envelope

TEST_MARK: Final = "+test"
"""Ends the version of a list of root keys that holds those of simulated devices as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One device's statement as it arrived.

    Attributes:
        digest: SHA-256 of its blob, base64url.
        kind: as the token named it.
        chip: the chip the host says it is.
        blob: the bytes, or None when they never came.
    """

    digest: str
    kind: str
    chip: int | None
    blob: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A token with evidence, and what is needed to judge it.

    Attributes:
        pos: position of the token.
        host: its host.
        site: the host's site.
        test_site: roots of simulated devices are believed as well.
        kid: thumbprint of the host key that signed the token.
        token: its identity.
        inv: the inventory it names.
        received_ms: when it arrived.
        challenge: the nonce it echoes when that was a challenge in time, and the host had sent
            no later report before, else None.
        statements: what it names.
    """

    pos: int
    host: str
    site: str
    test_site: bool
    kid: str
    token: str
    inv: str
    received_ms: int
    challenge: str | None
    statements: Sequence[Statement]


def judge_round(round_: Round, anchors: TrustAnchors, now_ms: int) -> EvidenceResult:
    """Return what every statement of a round shows.

    A token that did not answer a challenge in time, or in its place, proves no freshness: then
    no nonce is checked, and nothing of it raises a grade.
    """
    nonce = None
    if round_.challenge is not None:
        nonce = device_nonce(b64url_decode(round_.challenge), b64url_decode(round_.kid))
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    return _result(
        round_,
        anchors,
        now_ms,
        [
            _missing()
            if statement.blob is None
            else _kept(verify_envelope(statement.blob, nonce=nonce, pins=anchors, now=now))
            for statement in round_.statements
        ],
    )


def give_up(round_: Round, anchors: TrustAnchors, now_ms: int, why: str) -> EvidenceResult:
    """Return the result of a round that could not be judged: nothing was checked."""
    facts = _nothing(GpuCode.NOT_JUDGED, why)
    return _result(round_, anchors, now_ms, [facts] * len(round_.statements))


def _result(
    round_: Round, anchors: TrustAnchors, now_ms: int, found: Sequence[EvidenceFacts]
) -> EvidenceResult:
    return EvidenceResult(
        anchors=anchors.version,
        at=now_ms,
        host=round_.host,
        inv=round_.inv,
        pieces=tuple(
            Piece(digest=statement.digest, facts=facts, kind=statement.kind, chip=statement.chip)
            for statement, facts in zip(round_.statements, found, strict=True)
        ),
        received=round_.received_ms,
        site=round_.site,
        token=round_.token,
    )


def _kept(facts: EvidenceFacts) -> EvidenceFacts:
    """Return the facts as the log keeps them: what proves nothing witnesses no other device.

    Its lists are whatever its sender chose, and would fill the log for ever.
    """
    if level(facts) is not Level.NONE:
        return facts
    return msgspec.structs.replace(facts, switch_pdis=(), gpu_pdis=())


def _missing() -> EvidenceFacts:
    return _nothing(GpuCode.NO_REPORT, "the token names a blob that did not come with it")


def _nothing(code: GpuCode, detail: str) -> EvidenceFacts:
    return EvidenceFacts(
        device_class=DeviceClass.UNKNOWN,
        chain=Fact.NOT_CHECKED,
        class_=Fact.NOT_CHECKED,
        signature=Fact.FAIL,
        nonce=Fact.NOT_CHECKED,
        firmware=Fact.NOT_CHECKED,
        revocation=Fact.NOT_CHECKED,
        measurements=Fact.NOT_CHECKED,
        reasons=(Reason(fact="signature", code=code, detail=detail),),
    )
