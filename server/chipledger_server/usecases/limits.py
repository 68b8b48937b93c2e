"""What Chipledger cannot see; the sentences are the book's, so that every report has them."""

from chipledger_book.limits import CANNOT_SEE

__all__ = ["CANNOT_SEE"]
