"""A counter of skipped scans that can be written when the disk is full.

Two slots in one file, made at the start and written in place in turn, each with a checksum:
a torn write leaves the slot before. A slot says how many scans were skipped since which
report was the newest; once a newer report is kept, that report has carried the count.
"""

import zlib

from chipledger_agent.adapters.durable import Disk, write_durably

FILE = "skipped"
_SLOT_BYTES = 64
_FIELDS = 4
_TURN, _SINCE, _COUNT = range(3)


class SkipCounter:
    """The counter of one chain folder."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self._disk = disk
        self._folder = folder
        self._unsaved = 0  # counted in this process, not on the disk

    def prepare(self) -> None:
        """Make the file where it is absent; raises `OSError`."""
        if FILE not in self._disk.names(self._folder):
            write_durably(self._disk, self._folder, FILE, _slot(0, 0, 0) + _slot(1, 0, 0))

    def add(self, since: int) -> None:
        """Count one more scan skipped since report `since`; raises `OSError`, but counts."""
        turn, _, count = self._newest(since)
        self._unsaved += 1
        data = _slot(turn + 1, since, count + self._unsaved)
        at = (turn + 1) % 2 * _SLOT_BYTES
        self._disk.overwrite(f"{self._folder}/{FILE}", data, at=at)
        self._unsaved = 0

    def count(self, since: int) -> int:
        """Return the scans skipped since report `since` was the newest."""
        return self._newest(since)[_COUNT] + self._unsaved

    def carried(self) -> None:
        """A newer report has carried the count."""
        self._unsaved = 0

    def _newest(self, since: int) -> tuple[int, int, int]:
        try:
            data = self._disk.read(f"{self._folder}/{FILE}")
        except OSError:
            data = b""
        slots = [slot for at in (0, _SLOT_BYTES) if (slot := _parse(data[at : at + _SLOT_BYTES]))]
        turn, at_seq, count = max(slots, default=(0, 0, 0))
        return turn, at_seq, count if at_seq == since else 0


def _slot(turn: int, since: int, count: int) -> bytes:
    text = f"{turn} {since} {count}"
    return f"{text} {zlib.crc32(text.encode()):08x}".ljust(_SLOT_BYTES - 1).encode() + b"\n"


def _parse(data: bytes) -> tuple[int, int, int] | None:
    parts = data.decode("ascii", "replace").split()
    if len(parts) != _FIELDS or f"{zlib.crc32(' '.join(parts[:3]).encode()):08x}" != parts[3]:
        return None
    return int(parts[_TURN]), int(parts[_SINCE]), int(parts[_COUNT])
