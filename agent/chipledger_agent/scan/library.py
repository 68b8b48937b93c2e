"""Which NVML library may be loaded, and what the one that was loaded is.

A root user can fake every unsigned fact; path, digest and owner only raise the cost and let
a collector compare hosts of one driver version. They are read from what is really mapped.
"""

import hashlib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from chipledger_evidence.inventory import Library, Unread, Why

DEFAULT_LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1"),
    Path("/usr/lib64/libnvidia-ml.so.1"),
    Path("/usr/lib/libnvidia-ml.so.1"),
    Path("/lib/x86_64-linux-gnu/libnvidia-ml.so.1"),
    Path("/usr/lib64/nvidia/libnvidia-ml.so.1"),
    Path("/usr/lib/nvidia/current/libnvidia-ml.so.1"),
    Path("/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"),
    Path("/run/nvidia/driver/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1"),
    Path("/run/opengl-driver/lib/libnvidia-ml.so.1"),
)
"""Where distributions put the library; all of it is root's."""

_LOADER_VARIABLES = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT")
_CHUNK_BYTES = 1 << 20


def choose(candidates: Sequence[Path]) -> tuple[Path | None, Unread | None]:
    """Return the first candidate that is there and root's, or why there is none.

    A file that exists and is not owned by root, or that others may write, is passed over.
    """
    reason = None
    for candidate in candidates:
        try:
            found = candidate.resolve(strict=True)
            facts = found.stat()
        except OSError:
            continue
        if facts.st_uid == 0 and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return found, None
        reason = Unread(why=Why.OS_ERROR)
    return None, reason


def mapped(path: Path, maps: Path = Path("/proc/self/maps")) -> bool:
    """Tell whether this very file is mapped into this process."""
    wanted = str(path)
    with maps.open(encoding="utf-8", errors="replace") as lines:
        return any(line.rstrip("\n").endswith(wanted) for line in lines)


def describe(path: Path) -> Library:
    """Return digest, size, owner and mode of the library file.

    Raises:
        OSError: it cannot be read.
    """
    facts = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return Library(
        path=str(path),
        sha256=digest.hexdigest(),
        size_bytes=facts.st_size,
        owner_uid=facts.st_uid,
        mode=stat.S_IMODE(facts.st_mode),
    )


def preloaded(environment: Mapping[str, str], root: Path) -> bool:
    """Tell whether something could change what the loader loads into this process."""
    if any(environment.get(name) for name in _LOADER_VARIABLES):
        return True
    try:
        return bool((root / "etc/ld.so.preload").read_bytes().strip())
    except OSError:
        return False
