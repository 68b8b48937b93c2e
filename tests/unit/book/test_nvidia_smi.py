"""`nvidia-smi -q -x` documents: four real ones, and bad ones."""

import hashlib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from chipledger_book import shipped
from chipledger_book.catalogue import Identified, ObservedModel, identify
from chipledger_book.errors import BookError, Code
from chipledger_book.events import DeclaredChip
from chipledger_book.nvidia_smi import MAX_DOCUMENT_BYTES, declaration, parse_nvidia_smi
from chipledger_book.terms import Document
from chipledger_testing.book import GB200, NOW, book_of, declared, report, row

DAY = date(2026, 8, 21)
GPU = "<gpu><uuid>GPU-1</uuid>{}</gpu>"


def document(*gpus: str, head: str = "") -> bytes:
    """Return a small document."""
    return f"<?xml version='1.0' ?>{head}<nvidia_smi_log>{''.join(gpus)}</nvidia_smi_log>".encode()


def model_of(chip: DeclaredChip) -> tuple[str, int]:
    """Return SKU and TPP of a declared chip."""
    observed = ObservedModel(
        device=chip.device, subsystem=chip.subsystem, board_part=chip.board_part, name=chip.name
    )
    found = identify(observed, shipped.catalogue(), DAY)
    assert isinstance(found, Identified)
    assert found.disagreements == ()
    return found.sku.sku, found.sku.tpp


@pytest.mark.parametrize(
    ("capture", "count", "sku", "tpp", "serials"),
    [
        ("qx-h100.xml", 8, "H100-SXM5-80GB", 15_832, 8),
        ("qx-b200.xml", 8, "B200-SXM6-180GB", 36_000, 8),
        ("qx-gb200.xml", 4, "GB200-186GB", 40_000, 2),
        ("qx-l40s.xml", 1, "L40S-48GB", 5_864, 1),
    ],
)
def test_real_captures_give_every_chip_its_model(  # noqa: PLR0917 - one column each
    shared: Path, capture: str, count: int, sku: str, tpp: int, serials: int
) -> None:
    """21 chips on four nodes; two GB200 share a serial and are two."""
    found = parse_nvidia_smi((shared / "captures" / capture).read_bytes())

    assert found.attached == count
    assert Counter(map(model_of, found.chips)) == {(sku, tpp): count}
    assert len({chip.uuid for chip in found.chips}) == count
    assert len({chip.pdi for chip in found.chips}) == count
    assert len({chip.serial for chip in found.chips}) == serials
    assert not any(chip.virtual for chip in found.chips)


def test_a_document_is_entered_with_its_digest(shared: Path) -> None:
    """The event lists the chips, names the paper, and is admitted."""
    data = (shared / "captures" / "qx-gb200.xml").read_bytes()
    event = declaration(
        parse_nvidia_smi(data),
        site="johor",
        label="tray-4",
        paper=Document(sha256=hashlib.sha256(data).hexdigest(), title="tray-4.xml"),
        occurred_at_ms=NOW,
    )
    found = report(book_of(declared(), event))

    assert row(found, GB200).declared == 4
    assert event.documents[0].sha256 == hashlib.sha256(data).hexdigest()


def test_absent_values_are_absent() -> None:
    """N/A is not a serial."""
    found = parse_nvidia_smi(document(GPU.format("<serial>N/A</serial><pdi></pdi>")))

    assert found.chips == (DeclaredChip(uuid="GPU-1"),)


def test_mig_devices_are_no_chips() -> None:
    """Slices stand deeper in the document and add nothing."""
    mig = "<mig_devices><mig_device><uuid>MIG-1</uuid></mig_device></mig_devices>"

    assert len(parse_nvidia_smi(document(GPU.format(mig))).chips) == 1


def test_a_vgpu_guest_is_marked() -> None:
    """Inside a guest the document names no chip of its own."""
    mode = "<gpu_virtualization_mode><virtualization_mode>{}</virtualization_mode>"
    texts = [GPU.format(mode.format(m) + "</gpu_virtualization_mode>") for m in ("VGPU", "None")]

    assert [chip.virtual for chip in parse_nvidia_smi(document(*texts)).chips] == [True, False]


def test_a_document_that_says_nothing_of_gpus_is_none() -> None:
    """It would replace what was declared under its label by nothing; no GPU at all is said."""
    with pytest.raises(BookError) as refused:
        parse_nvidia_smi(document())
    assert refused.value.code is Code.MALFORMED_DOCUMENT
    assert parse_nvidia_smi(document("<attached_gpus>0</attached_gpus>")).chips == ()


def test_a_chip_that_is_attached_and_not_listed_shows() -> None:
    """The document's own count stands beside the chips it lists."""
    found = parse_nvidia_smi(document("<attached_gpus>2</attached_gpus>", GPU.format("")))

    assert (found.attached, len(found.chips)) == (2, 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", Code.MALFORMED_DOCUMENT, id="empty"),
        pytest.param(b"GPU 0: NVIDIA H100", Code.MALFORMED_DOCUMENT, id="no-xml"),
        pytest.param(b"<other></other>", Code.MALFORMED_DOCUMENT, id="other-root"),
        pytest.param(document(GPU)[:-9], Code.MALFORMED_DOCUMENT, id="cut-off"),
        pytest.param(
            document(GPU.format("<pdi>0x12</pdi>")), Code.MALFORMED_DOCUMENT, id="short-pdi"
        ),
        pytest.param(
            document(GPU.format("<a>" * 40 + "</a>" * 40)), Code.MALFORMED_DOCUMENT, id="deep"
        ),
        pytest.param(document(GPU * 1025), Code.MALFORMED_DOCUMENT, id="too-many"),
        *(
            pytest.param(
                f'<?xml version="1.0" encoding="{name}"?><nvidia_smi_log/>'.encode(),
                Code.MALFORMED_DOCUMENT,
                id=f"encoding-{name}",
            )
            for name in ("no-such", "shift_jis", "idna", "base64", "undefined")
        ),
        pytest.param(b" " * (MAX_DOCUMENT_BYTES + 1), Code.DOCUMENT_TOO_LARGE, id="oversize"),
    ],
)
def test_bad_documents_are_refused(data: bytes, code: Code) -> None:
    """Whole or not at all, with code and hint."""
    with pytest.raises(BookError) as refused:
        parse_nvidia_smi(data)

    assert refused.value.code is code
    assert refused.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY a "ha">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;',
        "<!ELEMENT gpu ANY>",
    ],
    ids=["entity", "external-entity", "parameter-entity", "element"],
)
def test_own_declarations_are_refused(declarations: str, encoding: str) -> None:
    """No entity is expanded and no file is read, in whatever encoding it is written."""
    head = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE nvidia_smi_log [{declarations}]>"
    body = "<nvidia_smi_log><driver_version>&a;</driver_version></nvidia_smi_log>"

    with pytest.raises(BookError) as refused:
        parse_nvidia_smi((head + body).encode(encoding))

    assert refused.value.code is Code.DOCUMENT_DECLARES_ENTITIES


def test_the_external_dtd_of_the_real_tool_is_not_fetched() -> None:
    """Its DOCTYPE line is accepted and ignored."""
    head = '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd">'

    assert len(parse_nvidia_smi(document(GPU.format(""), head=head)).chips) == 1
