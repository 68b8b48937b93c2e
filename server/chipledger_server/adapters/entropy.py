"""The kernel's random source."""

import os
from typing import Final

_AT_ONCE: Final = 4096


def system_entropy(count: int, /) -> bytes:
    """Return `count` bytes of the kernel's random source."""
    return os.urandom(count)


class BufferedEntropy:
    """The kernel's random source, asked for many bytes at once; for one thread of one process.

    Every call into the kernel gives the interpreter's lock away, and has to win it back from the
    writer thread: two calls a report were a twentieth of its cost.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0

    def __call__(self, count: int, /) -> bytes:
        """Return `count` bytes that nobody else has got or will get."""
        start, end = self._used, self._used + count
        if end > len(self._bytes):
            self._bytes, start, end = os.urandom(max(count, _AT_ONCE)), 0, count
        self._used = end
        return self._bytes[start:end]
