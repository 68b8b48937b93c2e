"""Events: one canonical form, one id, and text that is refused with its reason."""

import json

import pytest

from chipledger_book.errors import BookError, Code
from chipledger_book.events import (
    MAX_EVENT_BYTES,
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    DeclaredChip,
    DeclaredInventory,
    Event,
    decode_event,
    encode_event,
    event_id,
    read_event,
)
from chipledger_testing.book import H100, NOW, declared, licence, pieces, received, uuid

EVENTS: tuple[Event, ...] = (
    declared(),
    licence("D-1", pieces(8)),
    received(8),
    received(
        ByChip(sku=H100, chips=(ChipRef(pdi="0" * 15 + "1", uuid=uuid(1), serial="1650"),)),
        ByBoard(sku=H100, serials=("0324118134526",)),
        ByUnit(model="HGX-H100-8", serials=("S1",)),
        ByCount(sku=H100, pieces=3),
        charged_to="D-1",
    ),
    Correction(occurred_at_ms=NOW, corrects="A" * 43, reason="typing error"),
    DeclaredInventory(
        occurred_at_ms=NOW,
        site="johor",
        label="node-1",
        source="nvidia-smi",
        chips=(DeclaredChip(name="NVIDIA H100 80GB HBM3"),),
    ),
)
NAMES = ("site", "licence", "count", "every-line", "correction", "declared")
RECEIPT = b'{"type":"received","site":"johor","occurred_at_ms":1,"lines":[%s]}'
GRANT = (
    b'{"type":"licence-granted","occurred_at_ms":1,"licence":{"issuer":"BIS","number":"D1",'
    b'"type":"licence","consignee":"acme","valid_from":"2026-01-01","valid_to":"2026-12-31",'
    b'"source":{"sha256":"' + b"ab" * 32 + b'"},"lines":[%s]}}'
)


@pytest.mark.parametrize("event", EVENTS, ids=NAMES)
def test_an_event_survives_its_bytes(event: Event) -> None:
    """Encoding and decoding give the same event and the same id."""
    data = encode_event(event)

    assert decode_event(data) == event
    assert event_id(decode_event(data)) == event_id(event)


@pytest.mark.parametrize("event", EVENTS, ids=NAMES)
def test_layout_does_not_change_an_event(event: Event) -> None:
    """Hand-written JSON with spaces and another order is the same event."""
    plain = json.loads(encode_event(event))
    written = json.dumps(dict(reversed(plain.items())), indent=2).encode()

    assert event_id(read_event(written)) == event_id(event)


def test_the_id_of_a_receipt_never_changes() -> None:
    """A vector: these bytes and this id are what every later version must read."""
    data = (
        b'{"lines":[{"by":"count","pieces":8,"sku":"H100-SXM5-80GB"}],'
        b'"occurred_at_ms":1772323200000,"site":"johor","type":"received"}'
    )

    assert encode_event(received(8)) == data
    assert event_id(decode_event(data)) == "2w4KeAXysU72zUMw7uKDoHrkCxqoAvn458NTd_oLlxM"


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (
            RECEIPT % b'{"by":"count","sku":"H100","pieces":1.5}',
            Code.QUANTITY_NOT_INTEGER,
            "lines[0].pieces",
        ),
        (
            RECEIPT % b'{"by":"count","sku":"H100","pieces":1.0}',
            Code.QUANTITY_NOT_INTEGER,
            "lines[0].pieces",
        ),
        (
            RECEIPT % b'{"by":"count","sku":"H100","pieces":"8"}',
            Code.QUANTITY_NOT_INTEGER,
            "lines[0].pieces",
        ),
        (
            GRANT % b'{"amount":0.5,"unit":"pieces"}',
            Code.QUANTITY_NOT_INTEGER,
            "licence.lines[0].amount",
        ),
        (
            GRANT % b'{"amount":1,"unit":"furlongs"}',
            Code.UNKNOWN_QUANTITY_UNIT,
            "licence.lines[0].unit",
        ),
        (RECEIPT % b"", Code.MALFORMED_EVENT, "lines"),
        (RECEIPT % b'{"by":"weight","sku":"H100"}', Code.MALFORMED_EVENT, "lines[0].by"),
        (RECEIPT % b'{"by":"board","sku":"H100","serials":[]}', Code.MALFORMED_EVENT, ""),
        (b'{"type":"gift"}', Code.MALFORMED_EVENT, "type"),
        (b'{"type":"received","type":"received"}', Code.MALFORMED_EVENT, "type"),
        (b'{"occurred_at_ms":1}', Code.MALFORMED_EVENT, ""),
        (b"[", Code.MALFORMED_EVENT, ""),
        (b"\xff\xfe", Code.MALFORMED_EVENT, ""),
        (b"[" * 100_000, Code.MALFORMED_EVENT, ""),
        (b'{"type":"gift","n":' + b"1" * 5000 + b"}", Code.MALFORMED_EVENT, ""),
        (b'{"type":"gift","n":1e99999999999999999999}', Code.MALFORMED_EVENT, ""),
        (
            RECEIPT[:-1] % b'{"by":"count","sku":"H100","pieces":8}' + b',"remark":"\\ud800"}',
            Code.MALFORMED_EVENT,
            "",
        ),
        (
            RECEIPT.replace(b'"occurred_at_ms":1', b'"occurred_at_ms":253402300800000')
            % b'{"by":"count","sku":"H100","pieces":8}',
            Code.MALFORMED_EVENT,
            "occurred_at_ms",
        ),
        (b" " * (MAX_EVENT_BYTES + 1), Code.EVENT_TOO_LARGE, ""),
    ],
)
def test_bad_text_is_refused_with_code_and_place(text: bytes, code: Code, where: str) -> None:
    """Every refusal says what, where, and what to do."""
    with pytest.raises(BookError) as refused:
        read_event(text)

    problem = refused.value.problems[0]
    assert problem.code is code
    assert problem.where.startswith(where)
    assert problem.hint


GOOD = encode_event(received(8))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(GOOD.replace(b'":8', b'": 8'), Code.NOT_CANONICAL_EVENT, id="white-space"),
        pytest.param(GOOD.replace(b'":8', b'":8.0'), Code.QUANTITY_NOT_INTEGER, id="float"),
        pytest.param(
            GOOD[:-1] + b',"type":"received"}', Code.NOT_CANONICAL_EVENT, id="member-twice"
        ),
        pytest.param(GOOD[:-1] + b',"extra":1}', Code.MALFORMED_EVENT, id="unknown-member"),
        pytest.param(GOOD[:-1], Code.MALFORMED_EVENT, id="cut-off"),
        pytest.param(GOOD + b" " * MAX_EVENT_BYTES, Code.EVENT_TOO_LARGE, id="oversize"),
    ],
)
def test_stored_bytes_are_read_only_in_canonical_form(data: bytes, code: Code) -> None:
    """What is hashed has one spelling; every other is refused."""
    with pytest.raises(BookError) as refused:
        decode_event(data)

    assert refused.value.code is code


@pytest.mark.parametrize("uuid_text", ["MIG-00000001-0000-0000-0000-000000000001", "GPU-1", ""])
def test_a_chip_is_named_by_a_gpu_uuid_only(uuid_text: str) -> None:
    """MIG devices are slices, never chips of a receipt."""
    chip = json.dumps({"by": "chip", "sku": H100, "chips": [{"uuid": uuid_text}]}).encode()

    with pytest.raises(BookError) as refused:
        read_event(RECEIPT % chip)

    assert refused.value.code is Code.MALFORMED_EVENT
