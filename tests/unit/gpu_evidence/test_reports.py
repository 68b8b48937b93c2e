"""Reports that are not what they should be are refused, each for its own reason."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.report import MAX_REPORT_BYTES, SIGNATURE_BYTES
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Opaque, Shape, unsigned_report

NONCE = bytes(range(32))
GPU = GpuMaker(1)
SWITCH = GpuMaker(1, Shape.SWITCH, sees=(GPU.pdi,))
REPORT = GPU.report(NONCE)
BODY = REPORT[:-SIGNATURE_BYTES]
RECORD_AT, RESPONDER_AT, OPAQUE_LENGTH_AT = 45, 3565, 3597


def judged(report: bytes, *, maker: GpuMaker = GPU, nonce: bytes = NONCE) -> EvidenceFacts:
    """Return the facts of `report` beside a good chain."""
    return verify_evidence(report, maker.chain(), nonce=nonce, pins=PKI.pins, now=NOW)


def code_of(facts: EvidenceFacts) -> str:
    """Return why the report was refused, after checking that it is worth nothing."""
    assert facts.signature is Fact.FAIL
    assert level(facts) is Level.NONE
    assert facts.failure is not None
    return facts.failure.code


def with_opaque(fields: Opaque, maker: GpuMaker = GPU) -> EvidenceFacts:
    """Return the facts of a well signed report with these opaque fields."""
    return judged(maker.report(NONCE, opaque=fields), maker=maker)


def put(at: int, *octets: int) -> bytes:
    """Return the report's body with other octets, signed anew by the device itself."""
    body = bytearray(BODY)
    body[at : at + len(octets)] = bytes(octets)
    return GPU.sign(bytes(body))


def test_every_flip_of_one_byte_of_a_report_is_refused() -> None:
    """No byte can be changed and the report still be believed."""
    report = bytearray(REPORT)
    for place in range(len(report)):
        report[place] ^= 0xFF
        facts = judged(bytes(report))
        report[place] ^= 0xFF
        assert facts.signature is Fact.FAIL, place


def test_second_form_of_the_signature_is_the_same_evidence() -> None:
    """(r, n - s) verifies alike, so two reports of other bytes say one thing: never key on them."""
    order = int(ec.SECP384R1().group_order)
    r, s = REPORT[-96:-48], int.from_bytes(REPORT[-48:])
    other = BODY + r + (order - s).to_bytes(48)
    assert other != REPORT
    assert judged(other) == judged(REPORT)


@pytest.mark.parametrize("signature", [bytes(96), b"\xff" * 96, bytes(48) + b"\1" * 48])
def test_impossible_signature_is_refused(signature: bytes) -> None:
    """Zero and beyond the group: refused, not an exception."""
    assert code_of(judged(BODY + signature)) == GpuCode.SPDM_BAD_SIGNATURE


@pytest.mark.parametrize("length", [0, 1, 3, 4, 36, 44, 45, 100, 3565, 3597, 3598, 3599, 4000])
def test_cut_report_is_refused(length: int) -> None:
    """Wherever it ends too early, in every part of the layout."""
    assert code_of(judged(REPORT[:length])) == GpuCode.SPDM_TRUNCATED


@pytest.mark.parametrize("missing", [1, 47, 95, 96, 97])
def test_report_without_its_end_is_refused(missing: int) -> None:
    """A signature cut short, or not there."""
    assert code_of(judged(REPORT[:-missing])) == GpuCode.SPDM_TRUNCATED


@pytest.mark.parametrize("tail", [b"\0", b"\n", bytes(96), REPORT[:100]])
def test_padded_report_is_refused(tail: bytes) -> None:
    """Nothing may follow the signature."""
    assert code_of(judged(REPORT + tail)) == GpuCode.SPDM_TRAILING


def test_byte_in_front_is_refused() -> None:
    """Nor stand before the request."""
    assert code_of(judged(b"\0" + REPORT)) == GpuCode.SPDM_UNSUPPORTED


def test_huge_report_is_refused_unread() -> None:
    """More than NVML's buffer holds is no report."""
    assert code_of(judged(REPORT + bytes(MAX_REPORT_BYTES))) == GpuCode.SPDM_TOO_LARGE


@pytest.mark.parametrize("head", [(0x12,), (0x10,), (0x13,), (0x10, 0x84), (0,), (0xFF,)])
def test_other_spdm_version_is_refused_with_a_clear_reason(head: tuple[int, ...]) -> None:
    """1.2 begins with a version exchange or its own number; signed or not, it is not read."""
    facts = judged(put(0, *head))
    assert code_of(facts) == GpuCode.SPDM_UNSUPPORTED
    assert facts.failure is not None
    assert "only 1.1 is read" in facts.failure.detail


@pytest.mark.parametrize(
    ("at", "octet"),
    [(1, 0xE1), (2, 0x00), (3, 0x01), (36, 1), (37, 0x12), (38, 0x7F), (39, 1), (40, 1)],
)
def test_other_request_or_response_is_refused(at: int, octet: int) -> None:
    """Another request, slot or response, though the device itself signed it."""
    assert code_of(judged(put(at, octet))) == GpuCode.SPDM_MALFORMED


@pytest.mark.parametrize(
    ("at", "octets"),
    [
        (41, (0,)),
        (41, (63,)),
        (41, (65,)),
        (41, (255,)),
        (42, (0, 0, 0)),
        (42, (0xFF, 0xFF, 0xFF)),
        (42, (0xC1, 0x0D, 0x00)),
        (RECORD_AT, (0,)),
        (RECORD_AT, (2,)),
        (RECORD_AT + 55, (1,)),
        (RECORD_AT + 1, (0,)),
        (RECORD_AT + 2, (0, 0)),
        (RECORD_AT + 2, (0xFF, 0xFF)),
        (RECORD_AT + 4, (0x81,)),
        (RECORD_AT + 5, (0, 0)),
        (RECORD_AT + 5, (49, 0)),
    ],
)
def test_lengths_that_do_not_add_up_are_refused(at: int, octets: tuple[int, ...]) -> None:
    """Zero, huge, one off, blocks out of order: refused though the device itself signed it."""
    assert code_of(judged(put(at, *octets))) == GpuCode.SPDM_MALFORMED


def test_blocks_that_add_up_without_any_are_refused() -> None:
    """A report that measures nothing is none."""
    assert code_of(judged(GPU.sign(unsigned_report(NONCE, [], blocks=0)))) == (
        GpuCode.SPDM_MALFORMED
    )


@pytest.mark.parametrize("length", [0, 1, 3, 0xFFFF])
def test_opaque_length_that_does_not_add_up_is_refused(length: int) -> None:
    """The opaque data ends where the signature begins, exactly."""
    facts = judged(put(OPAQUE_LENGTH_AT, length & 0xFF, length >> 8))
    assert code_of(facts) in {GpuCode.SPDM_TRUNCATED, GpuCode.SPDM_TRAILING}


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b"\x03", GpuCode.OPAQUE_MALFORMED),
        (b"\x63\x00\x01", GpuCode.OPAQUE_MALFORMED),
        (b"\x63\x00\x01\x00", GpuCode.OPAQUE_MALFORMED),
        (b"\x63\x00\xff\xff", GpuCode.OPAQUE_MALFORMED),
        (b"\x03\x00\x00\x00", GpuCode.OPAQUE_DUPLICATE),
        (b"\x03\x00\x07\x00590.12\x00", GpuCode.OPAQUE_DUPLICATE),
    ],
)
def test_opaque_data_that_does_not_add_up_is_refused(tail: bytes, code: GpuCode) -> None:
    """Heads cut off, lengths beyond the end, fields that stand twice."""
    body = bytearray(BODY + tail)
    length = len(body) - OPAQUE_LENGTH_AT - 2
    body[OPAQUE_LENGTH_AT : OPAQUE_LENGTH_AT + 2] = length.to_bytes(2, "little")
    assert code_of(judged(GPU.sign(bytes(body)))) == code


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (3, b"590\x1b[2J", GpuCode.OPAQUE_MALFORMED),
        (3, b"\xc3\xa9", GpuCode.OPAQUE_MALFORMED),
        (17, b"G" * 65, GpuCode.OPAQUE_MALFORMED),
        (6, b"96.00", GpuCode.OPAQUE_MALFORMED),
        (22, bytes(7), GpuCode.OPAQUE_MALFORMED),
        (34, b"\x02\0", GpuCode.OPAQUE_UNSUPPORTED),
        (34, b"", GpuCode.OPAQUE_MALFORMED),
        (34, b"\x01\0\0", GpuCode.OPAQUE_MALFORMED),
    ],
)
def test_opaque_field_of_impossible_content_is_refused(
    kind: int, value: bytes, code: GpuCode
) -> None:
    """Whatever the device signed, a text is short printable ASCII and a list adds up."""
    assert code_of(with_opaque(list({**dict(GPU.opaque()), kind: value}.items()))) == code


def test_unknown_opaque_fields_are_passed_by() -> None:
    """A newer driver may say more; order is its own."""
    fields = [(4711, b"new"), *reversed(GPU.opaque())]
    facts = with_opaque(fields)
    assert (level(facts), facts.driver) == (Level.CHIP_SIGNED, "590.12")


def test_report_without_opaque_fields_states_nothing() -> None:
    """All but the signature and nonce is then not stated."""
    facts = with_opaque([])
    assert level(facts) is Level.CHIP_SIGNED
    assert (facts.firmware, facts.driver, facts.vbios) == (Fact.NOT_STATED, None, None)


def test_firmware_id_of_another_firmware_is_a_contradiction() -> None:
    """A report that names other firmware than the certificate of its key is worth nothing."""
    facts = judged(GpuMaker(1, fields=((20, bytes(48)),)).report(NONCE))
    assert (facts.signature, facts.firmware, level(facts)) == (Fact.PASS, Fact.FAIL, Level.NONE)
    assert facts.failure is not None
    assert facts.failure.code == GpuCode.FIRMWARE_MISMATCH
    short = judged(GpuMaker(1, fields=((20, bytes(47)),)).report(NONCE))
    assert (short.firmware, level(short)) == (Fact.FAIL, Level.NONE)


def test_report_of_an_old_driver_states_no_firmware() -> None:
    """Which is no failure."""
    facts = judged(GpuMaker(1, states_firmware=False).report(NONCE))
    assert (facts.firmware, level(facts)) == (Fact.NOT_STATED, Level.CHIP_SIGNED)


@pytest.mark.parametrize("other", [bytes(32), bytes(31), NONCE + b"\0", b""])
def test_report_for_another_nonce_is_refused(other: bytes) -> None:
    """Fresh or not: a report answers one nonce, and this is not it."""
    facts = judged(REPORT, nonce=other)
    assert (facts.signature, facts.nonce, level(facts)) == (Fact.PASS, Fact.FAIL, Level.NONE)


def test_nonce_that_nobody_gave_is_not_checked_and_worth_nothing() -> None:
    """Anybody can keep an old report, so one that answers no nonce of ours proves no presence."""
    facts = verify_evidence(REPORT, GPU.chain(), nonce=None, pins=PKI.pins, now=NOW)
    assert (facts.signature, facts.nonce, level(facts)) == (
        Fact.PASS,
        Fact.NOT_CHECKED,
        Level.NONE,
    )


def test_report_of_another_gpu_is_refused() -> None:
    """Same nonce, same names, another chip's signing key."""
    assert code_of(judged(GpuMaker(2).report(NONCE))) == GpuCode.SPDM_BAD_SIGNATURE


def test_report_of_another_boot_of_the_chip_is_refused() -> None:
    """New firmware, new signing key: report and chain belong together."""
    assert code_of(judged(GpuMaker(1, firmware="2").report(NONCE))) == GpuCode.SPDM_BAD_SIGNATURE


def test_chain_alone_names_a_chip_and_is_worth_nothing() -> None:
    """A certificate chain is public: it shows no presence."""
    facts = verify_evidence(None, GPU.chain(), nonce=NONCE, pins=PKI.pins, now=NOW)
    assert (facts.chain, facts.class_, facts.pdi) == (Fact.PASS, Fact.PASS, GPU.pdi)
    assert (facts.signature, facts.nonce, level(facts)) == (
        Fact.NOT_CHECKED,
        Fact.NOT_CHECKED,
        Level.NONE,
    )


def test_report_with_an_unreadable_chain_is_worth_nothing() -> None:
    """There is no key to check it with."""
    facts = verify_evidence(REPORT, b"", nonce=NONCE, pins=PKI.pins, now=NOW)
    assert (facts.signature, facts.nonce) == (Fact.NOT_CHECKED, Fact.PASS)
    assert (facts.chain, level(facts)) == (Fact.FAIL, Level.NONE)


@pytest.mark.parametrize("value", [bytes(8), bytes.fromhex(GPU.pdi), b"", bytes(16)])
def test_switch_that_states_another_pdi_than_its_certificate_is_no_witness(value: bytes) -> None:
    """A switch's word is taken only when report and certificate name one switch."""
    fields = list({**dict(SWITCH.opaque()), 22: value}.items())
    facts = judged(SWITCH.report(NONCE, opaque=fields), maker=SWITCH)
    assert level(facts) is Level.NONE


@pytest.mark.parametrize("value", [b"", bytes(63)])
def test_switch_that_lists_no_gpus_is_no_witness(value: bytes) -> None:
    """It has eight places for them, named or empty."""
    fields = list({**dict(SWITCH.opaque()), 26: value}.items())
    assert level(judged(SWITCH.report(NONCE, opaque=fields), maker=SWITCH)) is Level.NONE


def test_empty_places_of_a_switch_name_nobody() -> None:
    """Zeros and ones are ports without a GPU."""
    facts = judged(SWITCH.report(NONCE), maker=SWITCH)
    assert (level(facts), facts.gpu_pdis) == (Level.WITNESS, (GPU.pdi,))


def test_facts_stand_in_a_log_record() -> None:
    """What was found has one canonical encoding and reads back as it was."""
    for facts in (judged(REPORT), judged(SWITCH.report(NONCE), maker=SWITCH), judged(b"\x11")):
        raw = encode_canonical(facts)
        assert decode_strict(raw, EvidenceFacts) == facts
        assert b'"class":' in raw
