"""The command line of the scan child."""

import sys
from collections.abc import Sequence
from pathlib import Path

from chipledger_agent.scan.library import DEFAULT_LIBRARIES

CHILD_MODULE = "chipledger_agent.scan.child"


def scan_command(
    *,
    root: Path = Path("/"),
    libraries: Sequence[Path] = DEFAULT_LIBRARIES,
    override: Path | None = None,
) -> tuple[str, ...]:
    """Return the command that runs one scan in isolated mode.

    Args:
        root: prefix of /sys, /proc and /etc.
        libraries: allow-list of absolute paths of the NVML library, in order.
        override: a library outside the list; such a scan says so and must never be sent.

    Raises:
        ValueError: a path is not absolute.
    """
    for path in (root, *libraries, *([override] if override else [])):
        if not path.is_absolute():
            raise ValueError(f"an absolute path is needed, not {path}")
    head = (sys.executable, "-I", "-m", CHILD_MODULE, "--root", str(root))
    if override is not None:
        return (*head, "--override", str(override))
    return (*head, *(part for path in libraries for part in ("--library", str(path))))
