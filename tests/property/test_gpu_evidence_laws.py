"""Laws of GPU evidence: whatever the bytes, there is an answer, and nothing forged is believed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.gpu.facts import Fact, Level, level
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_evidence.gpu.witness import Witness, cross_witness
from chipledger_testing.gpu_fuzz import NONCE, packed, seeds, try_one
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, hgx

CORPUS = Path(__file__).parents[1] / "fuzz" / "gpu"
SEEDS = sorted(seeds().values())
GPU = GpuMaker(1)
BOARD, BOARD_SWITCHES = hgx()
BOARD_FACTS = {
    each.pdi: verify_evidence(*each.evidence(NONCE), nonce=NONCE, pins=PKI.pins, now=NOW)
    for each in (*BOARD, *BOARD_SWITCHES)
}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return good evidence with pieces overwritten, cut out, doubled or moved."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(1, max(1, len(data) - 1)))
        end = min(len(data), start + draw(st.integers(0, 64)))
        piece = draw(st.sampled_from((b"", data[start:end] * 2, b"\xff" * (end - start))))
        data = data[:start] + draw(st.one_of(st.just(piece), st.binary(max_size=16))) + data[end:]
    return data


def test_every_input_of_the_corpus_holds_the_law() -> None:
    """What a search by coverage kept, and good evidence of every shape."""
    kept = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    assert len(kept) > 20
    for data in (*kept, *SEEDS):
        try_one(data)


@given(damaged())
def test_damaged_evidence_holds_the_law(data: bytes) -> None:
    """Pieces overwritten, cut out, doubled, moved."""
    try_one(data)


@given(st.binary(max_size=4096))
def test_any_bytes_hold_the_law(data: bytes) -> None:
    """Whatever somebody sends."""
    try_one(data)


@given(st.binary(max_size=2048), st.binary(max_size=2048), st.none() | st.binary(max_size=40))
def test_verification_answers_whatever_it_is_given(
    report: bytes, chain: bytes, nonce: bytes | None
) -> None:
    """There is no input that raises, and none that is worth something by chance."""
    facts = verify_evidence(report, chain, nonce=nonce, pins=PKI.pins, now=NOW)
    assert level(facts) is Level.NONE


@given(st.permutations(range(5)))
def test_order_of_certificates_changes_nothing(order: list[int]) -> None:
    """All 120 orders say the same."""
    blocks = [b"-----BEGIN" + part for part in GPU.chain().split(b"-----BEGIN")[1:]]
    chain = b"".join(blocks[place] for place in order)
    facts = verify_evidence(GPU.report(NONCE), chain, nonce=NONCE, pins=PKI.pins, now=NOW)
    assert level(facts) is Level.CHIP_SIGNED


@given(st.binary(min_size=32, max_size=32))
def test_report_answers_its_own_nonce_alone(nonce: bytes) -> None:
    """A report made for one nonce passes for that one."""
    report, chain = GPU.evidence(nonce)
    for asked in (nonce, NONCE):
        facts = verify_evidence(report, chain, nonce=asked, pins=PKI.pins, now=NOW)
        assert (facts.nonce is Fact.PASS) == (asked == nonce)


@given(st.sets(st.sampled_from(BOARD)), st.sets(st.sampled_from(BOARD_SWITCHES), min_size=1))
def test_whatever_is_hidden_is_found_while_one_switch_speaks(
    shown: set[GpuMaker], switches: set[GpuMaker]
) -> None:
    """Of eight GPUs exactly those left out are named, whichever switches answer."""
    evidence = [BOARD_FACTS[each.pdi] for each in (*shown, *switches)]
    result = cross_witness(evidence, [each.pdi for each in shown])
    left_out = {each.pdi for each in BOARD} - {each.pdi for each in shown}
    assert {chip.pdi for chip in result.hidden} == left_out
    assert (result.outcome is Witness.HIDDEN_CHIP) == bool(left_out)


@pytest.mark.parametrize("maker", [GPU, BOARD_SWITCHES[0]], ids=["gpu", "switch"])
def test_packed_chain_is_the_chain(maker: GpuMaker) -> None:
    """The form that the search changes certificates in loses none of them."""
    data = packed(maker.chain())
    lengths = []
    while data:
        lengths.append(int.from_bytes(data[:2]))
        data = data[2 + lengths[-1] :]
    assert len(lengths) == 5
