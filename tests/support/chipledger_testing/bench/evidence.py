"""What verifying a board's evidence costs: eight chips, each with report and chain of its own."""

import time
from dataclasses import dataclass

from chipledger_evidence.gpu.facts import EvidenceFacts, Level, level
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_testing.bench.server import verification_us
from chipledger_testing.gpu_pki import NOW, Pki, hgx

NONCE = bytes(range(32))
BOARDS = 5
REPEATS = 10
CHIPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCost:
    """CPU time of eight chips' evidence.

    Attributes:
        first_ms: for the first board whose upper certificates were never seen.
        board_ms: for every further board.
        v_us: one Ed25519 verification of as many bytes, in the same run.
    """

    first_ms: float
    board_ms: float
    v_us: float

    @property
    def chip_ms(self) -> float:
        """For one chip."""
        return self.board_ms / CHIPS

    @property
    def chip_v(self) -> float:
        """For one chip, in V."""
        return self.chip_ms * 1000 / self.v_us


def measure() -> EvidenceCost:
    """Return the cost, after checking that everything measured was accepted."""
    first_ms, board_ms = [], []
    for number in range(BOARDS):
        pki = Pki(seed=f"bench {number}")
        evidence = [gpu.evidence(NONCE) for gpu in hgx(pki=pki)[0]]
        first_ms.append(_board_ms(evidence, pki))
        board_ms += [_board_ms(evidence, pki) for _ in range(REPEATS)]
    return EvidenceCost(
        first_ms=sorted(first_ms)[BOARDS // 2],
        board_ms=sorted(board_ms)[len(board_ms) // 2],
        v_us=verification_us(bytes(4126)),
    )


def _board_ms(evidence: list[tuple[bytes, bytes]], pki: Pki) -> float:
    facts: list[EvidenceFacts] = []
    start = time.process_time()
    for report, chain in evidence:
        facts.append(verify_evidence(report, chain, nonce=NONCE, pins=pki.pins, now=NOW))
    took_ms = (time.process_time() - start) * 1000
    if any(level(each) is not Level.CHIP_SIGNED for each in facts):
        raise AssertionError("a chip's good evidence was refused")
    return took_ms
