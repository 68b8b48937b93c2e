"""Importing documents of others: an nvidia-smi document becomes a declared inventory.

What a document declares has grade G0, whoever made it. It stands in a column of its own and
fills no hole in the book.
"""

import hashlib
from dataclasses import dataclass

from chipledger_book.events import DeclaredInventory
from chipledger_book.nvidia_smi import declaration, parse_nvidia_smi
from chipledger_book.terms import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A document, read.

    Attributes:
        event: what it amounts to.
        missing: chips that it says are attached and does not list; as of a chip that was lost.
    """

    event: DeclaredInventory
    missing: int


def declared_inventory(
    document: bytes, *, site: str, label: str, title: str, at_ms: int
) -> Declared:
    """Return the event that an ``nvidia-smi -q -x`` document amounts to.

    Args:
        document: its bytes.
        site: where the machine is said to stand.
        label: name of the machine; a newer import under the same label replaces this one.
        title: what people call the document.
        at_ms: when the declaration is made; what the document says of its own time proves nothing.

    Raises:
        BookError: `malformed-document`, `document-too-large` or `document-declares-entities`.
    """
    paper = Document(sha256=hashlib.sha256(document).hexdigest(), title=title)
    read = parse_nvidia_smi(document)
    return Declared(
        event=declaration(read, site=site, label=label, paper=paper, occurred_at_ms=at_ms),
        missing=max(0, (read.attached or 0) - len(read.chips)),
    )
