"""Chance from the kernel."""

import os
import secrets


class KernelEntropy:
    """The kernel's random source."""

    def octets(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)

    def below(self, limit: int) -> int:
        """Return a uniform integer from 0 to `limit` - 1."""
        return secrets.randbelow(limit)
