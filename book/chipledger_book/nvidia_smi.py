"""Reads `nvidia-smi -q -x`: what a document declares a machine to hold (grade G0).

A document can be edited by anybody who holds it, so it fills no hole; it only says what to
look for. The reader takes no part of the document on trust either: bounded size and depth, no
entity declared or resolved, no external DTD fetched.
"""

from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.events import DeclaredChip, DeclaredInventory
from chipledger_book.terms import Document

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
"""Largest document; an 8-GPU node with all counters takes 360 kB."""

MAX_DEPTH: Final = 32
MAX_CHIPS: Final = 1024
MAX_TEXT: Final = 512

_ROOT: Final = "nvidia_smi_log"
_ABSENT: Final = frozenset({"", "N/A", "[N/A]", "[Not Supported]", "Unknown Error"})
_FIELDS: Final = {
    ("product_name",): "name",
    ("uuid",): "uuid",
    ("pdi",): "pdi",
    ("serial",): "serial",
    ("board_part_number",): "board_part",
    ("pci", "pci_device_id"): "device",
    ("pci", "pci_sub_system_id"): "subsystem",
    ("gpu_virtualization_mode", "virtualization_mode"): "virtualization",
}
"""Path below <gpu> → what it is. MIG devices lie deeper and are never read as chips."""
_VGPU_GUEST: Final = "VGPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiDocument:
    """What one document declares.

    Attributes:
        taken_at: the document's own time, local to its machine and without zone; never used
            as a time.
        driver: driver version.
        attached: chips it says are attached; may differ from the chips it lists.
        chips: the chips it lists.
    """

    taken_at: str | None
    driver: str | None
    attached: int | None
    chips: tuple[DeclaredChip, ...]


def parse_nvidia_smi(document: bytes) -> SmiDocument:
    """Return what an `nvidia-smi -q -x` document declares.

    Raises:
        BookError: `document-too-large`, `malformed-document` or `document-declares-entities`.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise refuse(
            Code.DOCUMENT_TOO_LARGE,
            f"{len(document)} bytes, at most {MAX_DOCUMENT_BYTES} are accepted",
            hint="give one document per machine",
        )
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _doctype
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(document, True)  # noqa: FBT003 - the signature of expat
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: encodings
        raise _malformed(str(error)) from error
    return reader.document()


def declaration(
    document: SmiDocument, *, site: str, label: str, paper: Document, occurred_at_ms: int
) -> DeclaredInventory:
    """Return the event by which a document is entered.

    Args:
        document: what was read.
        site: site the machine is at.
        label: which machine; a newer document of the same label replaces this one.
        paper: the document by digest and title.
        occurred_at_ms: when it was taken, as far as the importer knows.
    """
    return DeclaredInventory(
        occurred_at_ms=occurred_at_ms,
        documents=(paper,),
        site=site,
        label=label,
        source="nvidia-smi",
        chips=document.chips,
    )


class _Reader:
    """Collects the few texts that are wanted, in one pass and bounded memory."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text = ""
        self._head: dict[str, str] = {}
        self._chip: dict[str, str] = {}
        self._chips: list[dict[str, str]] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if not self._path and name != _ROOT:
            raise _malformed(f"the document is a <{name}>, not a <{_ROOT}>")
        if len(self._path) >= MAX_DEPTH:
            raise _malformed(f"elements are nested deeper than {MAX_DEPTH}")
        self._path.append(name)
        self._text = ""
        if self._path == [_ROOT, "gpu"]:
            self._chip = {}

    def text(self, data: str) -> None:
        if len(self._text) < MAX_TEXT:
            self._text += data[:MAX_TEXT]

    def end(self, _name: str) -> None:
        value = self._text.strip()[:MAX_TEXT]
        below = tuple(self._path[2:])
        if self._path[:2] == [_ROOT, "gpu"]:
            if not below:
                if len(self._chips) == MAX_CHIPS:
                    raise _malformed(f"more than {MAX_CHIPS} GPUs")
                self._chips.append(self._chip)
            elif below in _FIELDS and value not in _ABSENT:
                self._chip.setdefault(_FIELDS[below], value)
        elif len(self._path) == 2:  # noqa: PLR2004 - a child of the root
            self._head.setdefault(self._path[1], value)
        self._path.pop()
        self._text = ""

    def document(self) -> SmiDocument:
        attached = self._head.get("attached_gpus", "")
        if not attached and not self._chips:
            raise _malformed("it neither lists a GPU nor says how many are attached")
        return SmiDocument(
            taken_at=self._head.get("timestamp"),
            driver=self._head.get("driver_version"),
            attached=int(attached) if attached.isascii() and attached.isdigit() else None,
            chips=tuple(_chip(fields) for fields in self._chips),
        )


def _chip(fields: dict[str, str]) -> DeclaredChip:
    return DeclaredChip(
        name=fields.get("name"),
        uuid=fields.get("uuid"),
        pdi=_hex(fields.get("pdi"), 16),
        serial=fields.get("serial"),
        board_part=fields.get("board_part"),
        device=_hex(fields.get("device"), 8),
        subsystem=_hex(fields.get("subsystem"), 8),
        virtual=fields.get("virtualization", "").upper() == _VGPU_GUEST,
    )


def _hex(text: str | None, digits: int) -> str | None:
    """Return a hex number in our spelling: lower case, no 0x, all its digits."""
    if text is None:
        return None
    plain = text.lower().removeprefix("0x")
    if len(plain) != digits or not set(plain) <= set("0123456789abcdef"):
        raise _malformed(f"{text!r} is not a number of {digits} hex digits")
    return plain


def _doctype(_name: str, _system: str | None, _public: str | None, internal: int) -> None:
    """Refuse an internal subset, the only place where the document can declare anything."""
    if internal:
        raise refuse(
            Code.DOCUMENT_DECLARES_ENTITIES,
            "the document brings its own declarations",
            hint="give the unchanged output of nvidia-smi",
        )


def _malformed(detail: str) -> BookError:
    return refuse(
        Code.MALFORMED_DOCUMENT, detail, hint="give the unchanged output of nvidia-smi -q -x"
    )
