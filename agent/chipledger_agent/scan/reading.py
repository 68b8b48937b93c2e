"""Collecting fields one by one: each a value, or a reason why not."""

from collections.abc import Callable
from typing import Any

from chipledger_evidence.inventory import MAX_COUNTER, Unread, Why

_MAX_TEXT = 256
_MAX_RAW_BYTES = 256
_MAX_CODE = 65535


TOO_MANY = Unread(why=Why.OUT_OF_RANGE)
"""Reason beside a list that the record does not hold to its end."""


class UnreadableError(Exception):
    """One field could not be read; `reason` goes into the record in its place."""

    def __init__(self, reason: Unread) -> None:
        super().__init__(reason)
        self.reason = reason


def refused(code: int) -> UnreadableError:
    """Return the error for an NVML return code; one that nvml.h cannot mean is kept as bytes."""
    if not 0 < code <= _MAX_CODE:
        return out_of_range(code)
    return UnreadableError(Unread(nvml=code))


def not_text(raw: bytes) -> UnreadableError:
    """Return the error for bytes that are not text; they are kept."""
    return UnreadableError(Unread(why=Why.NOT_TEXT, raw=raw[:_MAX_RAW_BYTES].hex()))


def out_of_range(value: int) -> UnreadableError:
    """Return the error for a number the record does not hold; it is kept as 8 bytes, hex."""
    return UnreadableError(
        Unread(why=Why.OUT_OF_RANGE, raw=(value % (1 << 64)).to_bytes(8, "big").hex())
    )


def os_error() -> UnreadableError:
    """Return the error for a file that could not be read."""
    return UnreadableError(Unread(why=Why.OS_ERROR))


def count(value: int) -> int:
    """Return `value` when the record can hold it.

    Raises:
        UnreadableError: negative, or above 2**53 - 1.
    """
    if not 0 <= value <= MAX_COUNTER:
        raise out_of_range(value)
    return value


def text(raw: bytes) -> str:
    """Return the text before the first zero byte.

    Raises:
        UnreadableError: it is not UTF-8, or longer than the record holds.
    """
    head = raw.partition(b"\0")[0]
    try:
        decoded = head.decode()
    except UnicodeDecodeError as error:
        raise not_text(head) from error
    if len(decoded) > _MAX_TEXT:
        raise not_text(head)
    return decoded


class Fields:
    """The fields of one struct under way; dotted names are members of nested structs."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unread: dict[str, Unread] = {}

    def put(self, path: str, value: object) -> None:
        """Set the field `path`."""
        *parents, name = path.split(".")
        target = self.values
        for parent in parents:
            target = target.setdefault(parent, {})
        target[name] = value

    def read(self, path: str, ask: Callable[[], object]) -> None:
        """Set the field `path` to what `ask` returns, or note why it could not be read."""
        try:
            self.put(path, ask())
        except UnreadableError as error:
            self.unread[path] = error.reason

    def read_several(self, paths: tuple[str, ...], ask: Callable[[], tuple[object, ...]]) -> None:
        """Set the fields `paths` from one call; one refusal is noted under each of them."""
        try:
            values = ask()
        except UnreadableError as error:
            self.unread.update(dict.fromkeys(paths, error.reason))
            return
        for path, value in zip(paths, values, strict=True):
            self.put(path, value)
