"""A disk in memory that forgets what was not synced, and fails or dies where it is told to.

It keeps the rules a journaling file system keeps: content is durable after its fsync, a name
after the fsync of its folder, a rename never loses the file. Everything else is up to chance
at a crash, which is the test's to choose.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from errno import EIO, ENOSPC
from posixpath import dirname


class Killed(BaseException):
    """The process ended here; nothing may catch it but the test."""


class Mode(StrEnum):
    """How an operation goes wrong."""

    ERROR_BEFORE = "error-before"  # OSError, nothing done
    ERROR_AFTER = "error-after"  # OSError, though it was done
    KILL_BEFORE = "kill-before"
    KILL_AFTER = "kill-after"
    TORN = "torn"  # killed within a write: some of the bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The one operation that goes wrong: its number from 1, and how."""

    number: int
    mode: Mode


@dataclass(slots=True)
class _Name:
    """A change of one name that its folder's fsync has not made durable yet."""

    folder: str
    name: str
    content: bytearray | None  # None: removed
    needs: "_Name | None" = None  # a removal by rename, which never comes before its addition
    partner: "_Name | None" = None  # the other half of a rename within one folder
    done: bool = False


@dataclass(slots=True)
class SimulatedDisk:
    """Keeps the promises of the agent's `Disk`, and no others.

    Attributes:
        fault: the operation that goes wrong.
        full: every operation that needs space fails.
        operations: names of the changing operations so far.
    """

    fault: Fault | None = None
    full: bool = False
    operations: list[str] = field(default_factory=list)
    _seen: dict[str, dict[str, bytearray]] = field(default_factory=dict)
    _durable: dict[str, dict[str, bytearray]] = field(default_factory=dict)
    _pending: list[_Name] = field(default_factory=list)

    # the port

    def make_folder(self, folder: str) -> None:
        """Create `folder`; durable at once."""

        def make() -> None:
            self._seen.setdefault(folder, {})
            self._durable.setdefault(folder, {})

        if folder not in self._seen:
            self._do("make_folder", make)

    def names(self, folder: str) -> list[str]:
        """Return the names in `folder`."""
        return list(self._folder(folder))

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        return len(self._file(path))

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return bytes(self._file(path))

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, its content synced; its name is not yet."""
        if self.full:
            raise OSError(ENOSPC, "No space left on device", path)
        content = bytearray()

        def create() -> None:
            self._add(path, content)

        def fill() -> None:
            content[:] = data

        def half() -> None:
            create()
            content[:] = data[: len(data) // 2]

        self._do("create", create)
        self._do("write", fill, torn=half)

    def overwrite(self, path: str, data: bytes, *, at: int) -> None:
        """Write into an existing file without growing it, synced."""
        content = self._file(path)

        def whole() -> None:
            content[at : at + len(data)] = data

        def first_octets() -> None:
            content[at : at + 4] = data[:4]

        self._do("overwrite", whole, torn=first_octets)

    def rename(self, source: str, target: str) -> None:
        """Give a file another name."""
        content = self._file(source)

        def move() -> None:
            added = self._add(target, content)
            removed = self._remove(source)
            removed.needs = added
            if removed.folder == added.folder:
                added.partner, removed.partner = removed, added

        self._do("rename", move)

    def unlink(self, path: str) -> None:
        """Remove a file; fine when it is absent."""
        if path.rpartition("/")[2] in self._folder(dirname(path)):
            self._do("unlink", lambda: self._remove(path))

    def sync_folder(self, folder: str) -> None:
        """Make all names in `folder` durable."""
        self._folder(folder)

        def sync() -> None:
            for change in [item for item in self._pending if item.folder == folder]:
                self._settle(change)

        self._do("sync_folder", sync)

    # the crash

    def restarted(self, choose: Callable[[], bool]) -> "SimulatedDisk":
        """Return the disk after a crash; `choose` decides on each change that was not synced."""
        for change in list(self._pending):
            if not change.done and choose():
                self._settle(change)
        kept = {
            folder: {name: bytearray(content) for name, content in names.items()}
            for folder, names in self._durable.items()
        }
        again = SimulatedDisk()
        again._durable = kept
        again._seen = {folder: dict(names) for folder, names in kept.items()}
        return again

    # the rules

    def _settle(self, change: _Name) -> None:
        for item in (change.needs, change):
            if item is None or item.done:
                continue
            item.done = True
            self._pending.remove(item)
            names = self._durable.setdefault(item.folder, {})
            if item.content is None:
                names.pop(item.name, None)
            else:
                names[item.name] = item.content
        if change.partner is not None and not change.partner.done:
            self._settle(change.partner)

    def _add(self, path: str, content: bytearray) -> _Name:
        folder, _, name = path.rpartition("/")
        self._folder(folder)[name] = content
        return self._note(_Name(folder, name, content))

    def _remove(self, path: str) -> _Name:
        folder, _, name = path.rpartition("/")
        self._folder(folder).pop(name, None)
        return self._note(_Name(folder, name, None))

    def _note(self, change: _Name) -> _Name:
        self._pending.append(change)
        return change

    def _folder(self, folder: str) -> dict[str, bytearray]:
        if folder not in self._seen:
            raise FileNotFoundError(folder)
        return self._seen[folder]

    def _file(self, path: str) -> bytearray:
        folder, _, name = path.rpartition("/")
        found = self._folder(folder).get(name)
        if found is None:
            raise FileNotFoundError(path)
        return found

    def _do(
        self, what: str, act: Callable[[], object], *, torn: Callable[[], object] | None = None
    ) -> None:
        self.operations.append(what)
        fault = self.fault
        if fault is None or fault.number != len(self.operations):
            act()
            return
        match fault.mode:
            case Mode.ERROR_BEFORE:
                raise OSError(EIO, "Input/output error", what)
            case Mode.ERROR_AFTER:
                act()
                raise OSError(EIO, "Input/output error", what)
            case Mode.KILL_BEFORE:
                raise Killed(what)
            case Mode.KILL_AFTER:
                act()
                raise Killed(what)
            case Mode.TORN:
                (torn or act)()
                raise Killed(what)
