"""Pages: a place in a collection that stays the same place while others insert.

A cursor holds the collection, both times of the first page and the last key seen. So the second
page continues the very list the first page began, whatever was written in between. It is not a
secret and proves nothing: what a reader may see is decided anew for every page.
"""

from typing import Annotated, Any, Final

import msgspec

from chipledger_book.terms import MAX_INTEGER
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.errors import EvidenceError
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal

DEFAULT_LIMIT: Final = 100
MOST_LIMIT: Final = 1000
_MAX_CURSOR: Final = 512


Key = Annotated[int, msgspec.Meta(ge=-1, le=MAX_INTEGER)] | str
"""A key a database can be asked for."""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """Where a page ended: collection, both times, and the key of its last item."""

    collection: str
    as_of_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
    known_at_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
    after: tuple[Key, ...]

    @property
    def when(self) -> When:
        """The times of the first page."""
        return When(as_of_ms=self.as_of_ms, known_at_ms=self.known_at_ms)


def cursor(place: Place) -> str:
    """Return the text of a place."""
    return b64url_encode(msgspec.json.encode(place))


def open_cursor(text: str, collection: str, *, shape: tuple[type, ...]) -> Place:
    """Return the place in a cursor.

    Raises:
        Refusal: `invalid-cursor` for text that is no cursor of this collection.
    """
    try:
        data = b64url_decode(text[:_MAX_CURSOR])
        place = msgspec.json.decode(data, type=Place, strict=True)
    except (EvidenceError, msgspec.DecodeError) as error:
        raise _invalid() from error
    kinds: tuple[Any, ...] = tuple(type(key) for key in place.after)
    if place.collection != collection or kinds != shape:
        raise _invalid()
    return place


def _invalid() -> Refusal:
    return Refusal(
        Code.INVALID_CURSOR,
        "the cursor is not one of this collection",
        hint="pass on the value of `next` as it is, or leave it out to begin again",
    )
