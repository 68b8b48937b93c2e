"""Where the auditor's tools meet the real clock."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time, aware."""
    return datetime.now(UTC)
