"""The number under which a mark of the ledger is kept."""

from hashlib import sha256


def number_of(kind: str, name: str) -> int:
    """Return what a mark is kept as; see :mod:`chipledger_book.bearing`."""
    digest = sha256(f"{kind}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
