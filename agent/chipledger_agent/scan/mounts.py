"""Whether what a scan reads under /proc and /sys is the kernel's own: proc(5), mountinfo.

Root can mount a folder of its own over any of it. The list is itself read from /proc, so this
raises the cost of a lie and proves nothing.
"""

import re
from pathlib import Path
from typing import Final

from chipledger_evidence.inventory import MAX_OVERLAID

_OWN: Final = {"/proc": "proc", "/sys": "sysfs"}
_READ: Final = re.compile(r"/proc/driver(/.*)?|/sys/bus(/.*)?|/sys/devices(/pci.*)?")
_MOUNT_POINT: Final = 4
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_MAX_TEXT: Final = 256


def overlaid(root: Path) -> tuple[str, ...]:
    """Return mount points, at most 16, that stand before the kernel's files under `root`."""
    try:
        text = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    found = {point for point, kind in map(_mount, text.splitlines()) if _stands_before(point, kind)}
    return tuple(sorted(point[:_MAX_TEXT] for point in found)[:MAX_OVERLAID])


def _mount(line: str) -> tuple[str, str]:
    """Return where a mount is, and the type of what is mounted."""
    before, _, after = line.partition(" - ")
    fields = before.split(" ")
    if len(fields) <= _MOUNT_POINT:
        return "", ""
    point = _ESCAPED.sub(lambda octal: chr(int(octal.group(1), 8)), fields[_MOUNT_POINT])
    return point, after.partition(" ")[0]


def _stands_before(point: str, kind: str) -> bool:
    if point in _OWN:
        return kind != _OWN[point]
    return _READ.fullmatch(point) is not None
