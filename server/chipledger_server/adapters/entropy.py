"""The kernel's random source."""

import os


def system_entropy(count: int, /) -> bytes:
    """Return `count` bytes of the kernel's random source."""
    return os.urandom(count)
