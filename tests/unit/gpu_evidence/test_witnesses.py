"""Switches as witnesses: what they signed, held against what the host says it has."""

from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.gpu.facts import EvidenceFacts
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_evidence.gpu.witness import (
    NO_SWITCH_EVIDENCE,
    Witness,
    WitnessResult,
    cross_witness,
)
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Pki, Shape, hgx

NONCE = bytes(range(32))
GPUS, SWITCHES = hgx()
PDIS = [gpu.pdi for gpu in GPUS]


def facts(*makers: GpuMaker, nonce: bytes = NONCE) -> list[EvidenceFacts]:
    """Return the facts of each device's evidence, asked with the round's nonce."""
    return [
        verify_evidence(*maker.evidence(nonce), nonce=NONCE, pins=PKI.pins, now=NOW)
        for maker in makers
    ]


def test_whole_board_agrees() -> None:
    """Every chip that a switch names is listed."""
    result = cross_witness(facts(*GPUS, *SWITCHES), PDIS)
    assert result.outcome is Witness.AGREE
    assert result.chips == tuple(sorted(PDIS))
    assert result.switches == tuple(sorted(switch.pdi for switch in SWITCHES))
    assert decode_strict(encode_canonical(result), WitnessResult) == result


def test_chip_left_out_is_named_with_the_switches_that_name_it() -> None:
    """Neither listed nor asked, and found all the same."""
    result = cross_witness(facts(*GPUS[1:], *SWITCHES), PDIS[1:])
    assert result.outcome is Witness.HIDDEN_CHIP
    [hidden] = result.hidden
    assert (hidden.pdi, hidden.named_by) == (PDIS[0], result.switches)


def test_chip_left_out_is_named_by_one_switch_alone() -> None:
    """One witness is enough, though the other three did not answer."""
    result = cross_witness(facts(*GPUS[1:], SWITCHES[2]), PDIS[1:])
    assert result.outcome is Witness.HIDDEN_CHIP
    assert result.hidden[0].named_by == (SWITCHES[2].pdi,)
    assert len(result.missing_switches) == 3


def test_whole_board_left_out_is_named() -> None:
    """A host that lists nothing and forgets its switches."""
    result = cross_witness(facts(*SWITCHES), [])
    assert (result.outcome, len(result.hidden)) == (Witness.HIDDEN_CHIP, 8)


def test_chip_that_signed_and_is_not_listed_is_hidden() -> None:
    """Its own signature names it, with or without a switch."""
    result = cross_witness(facts(GPUS[0]), [])
    assert result.outcome is Witness.HIDDEN_CHIP
    assert (result.hidden[0].pdi, result.hidden[0].named_by) == (PDIS[0], ())


def test_chips_listed_without_a_pdi_may_be_the_ones_named() -> None:
    """An older driver tells no PDI: as many names as such chips decide nothing."""
    result = cross_witness(facts(*SWITCHES), [*PDIS[2:], None, None])
    assert (result.outcome, result.undecided) == (Witness.UNDECIDED, tuple(sorted(PDIS[:2])))


def test_chips_that_signed_are_not_among_those_without_a_pdi() -> None:
    """What the driver does not tell, the certificates do: then the board agrees."""
    assert cross_witness(facts(*GPUS, *SWITCHES), [None] * 8).outcome is Witness.AGREE


def test_more_names_than_chips_without_a_pdi_hide_one_for_certain() -> None:
    """Seven listed without a PDI and eight named."""
    result = cross_witness(facts(*SWITCHES), [None] * 7)
    assert (result.outcome, len(result.hidden)) == (Witness.HIDDEN_CHIP, 8)
    seven = cross_witness(facts(*GPUS[1:], *SWITCHES), [None] * 7)
    assert [chip.pdi for chip in seven.hidden] == [PDIS[0]]


def test_more_signers_than_chips_listed_hide_one_for_certain() -> None:
    """Eight signed, seven are listed."""
    result = cross_witness(facts(*GPUS), [None] * 7)
    assert result.outcome is Witness.HIDDEN_CHIP


def test_switch_of_another_board_is_unknown_to_the_gpus() -> None:
    """No GPU here has a link to it."""
    foreign = GpuMaker(99, Shape.SWITCH, sees=tuple(PDIS))
    result = cross_witness(facts(*GPUS, *SWITCHES, foreign), PDIS)
    assert result.outcome is Witness.UNKNOWN_SWITCH
    assert result.unknown_switches == (foreign.pdi,)


def test_gpus_that_name_no_switch_make_none_unknown() -> None:
    """Outside protected PCIe a GPU states no links: nothing can be said."""
    silent = [GpuMaker(gpu.number) for gpu in GPUS]
    result = cross_witness(facts(*silent, *SWITCHES), PDIS)
    assert (result.outcome, result.unknown_switches) == (Witness.AGREE, ())


def test_switch_that_did_not_answer_is_missing() -> None:
    """The GPUs' signed lists name it."""
    result = cross_witness(facts(*GPUS, *SWITCHES[1:]), PDIS)
    assert result.outcome is Witness.MISSING_SWITCH
    assert result.missing_switches == (SWITCHES[0].pdi,)


def test_no_switch_at_all_is_said_by_code() -> None:
    """With the agent's reason where there is one."""
    result = cross_witness(facts(*GPUS), PDIS)
    assert (result.outcome, result.code) == (Witness.NO_WITNESS, NO_SWITCH_EVIDENCE)
    told = cross_witness(facts(*GPUS), PDIS, no_witness="nvattest-absent")
    assert told.code == "nvattest-absent"


def test_word_of_a_switch_that_proves_nothing_is_not_taken() -> None:
    """An old statement, or one of another maker, witnesses nothing: no finding, no agreement."""
    old = facts(*SWITCHES, nonce=bytes(32))
    forged = facts(*(GpuMaker(n, Shape.SWITCH, Pki(seed="x"), (PDIS[0],)) for n in range(2)))
    for evidence in (old, forged):
        result = cross_witness(evidence, PDIS[1:])
        assert (result.outcome, result.chips) == (Witness.NO_WITNESS, ())


def test_links_of_a_gpu_that_proves_nothing_are_not_taken() -> None:
    """Nor does an old statement of a GPU make a switch missing."""
    stale = facts(GPUS[0], nonce=bytes(32))
    assert cross_witness([*stale, *facts(*SWITCHES)], PDIS).missing_switches == ()


def test_two_words_of_one_switch_are_both_heard() -> None:
    """A host that makes a switch sign twice in a round, with a link switched off between."""
    whole, less = SWITCHES[0], GpuMaker(0, Shape.SWITCH, sees=tuple(PDIS[1:]))
    assert whole.pdi == less.pdi
    for words in ((whole, less), (less, whole)):
        result = cross_witness(facts(*GPUS[1:], *words), PDIS[1:])
        assert [chip.pdi for chip in result.hidden] == [PDIS[0]]
