"""Where the auditor's tools meet the real clock and real chance."""

import secrets
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time, aware."""
    return datetime.now(UTC)


def entropy(size: int) -> bytes:
    """Return that many bytes that nobody can guess."""
    return secrets.token_bytes(size)
