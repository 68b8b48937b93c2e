"""Files that survive a crash: the few disk operations the agent uses, and one way to write.

Everything goes through :class:`Disk`, so that tests can let every single operation fail, or
end the process there, and look at what a restart finds.
"""

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from typing import Protocol

from chipledger_agent.domain.failures import AgentCode, AgentError

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
TEMPORARY = ".tmp"


class Disk(Protocol):
    """Disk operations under one root; paths are relative, with ``/``. Faults are `OSError`.

    Only what a `write` or `overwrite` wrote and a later `sync_folder` of the folder named is
    sure to be found after a crash.
    """

    def make_folder(self, folder: str) -> None:
        """Create `folder` in an existing one where absent; durable at once."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in `folder`, in any order."""
        ...

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        ...

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, its content synced; its name is not yet."""
        ...

    def overwrite(self, path: str, data: bytes, *, at: int) -> None:
        """Write into an existing file without growing it, synced; needs no free space."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, atomically; a file of that name is replaced."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file; fine when it is absent."""
        ...

    def sync_folder(self, folder: str) -> None:
        """Make all names in `folder` durable."""
        ...


class PosixDisk:
    """A folder of the real file system. New files are readable by their owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make_folder(self, folder: str) -> None:
        """Create `folder` in an existing one where absent; durable at once."""
        path = self._root / folder
        if not path.is_dir():
            path.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self._sync(path.parent)

    def names(self, folder: str) -> list[str]:
        """Return the names in `folder`."""
        return os.listdir(self._root / folder)  # noqa: PTH208 - names are what is asked for

    def size(self, path: str) -> int:
        """Return the bytes of a file."""
        return (self._root / path).stat().st_size

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return (self._root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, its content synced."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._put(path, data, flags=flags, at=0)

    def overwrite(self, path: str, data: bytes, *, at: int) -> None:
        """Write into an existing file without growing it, synced."""
        self._put(path, data, flags=os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, at=at)

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, atomically."""
        (self._root / source).replace(self._root / target)

    def unlink(self, path: str) -> None:
        """Remove a file; fine when it is absent."""
        (self._root / path).unlink(missing_ok=True)

    def sync_folder(self, folder: str) -> None:
        """Make all names in `folder` durable."""
        self._sync(self._root / folder)

    def _put(self, path: str, data: bytes, *, flags: int, at: int) -> None:
        descriptor = os.open(self._root / path, flags, _FILE_MODE)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(descriptor, data[done:], at + done)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(disk: Disk, folder: str, name: str, data: bytes) -> None:
    """Make `folder`/`name` hold `data`, whole or not at all, whatever happens.

    Write order: temporary file, its fsync, rename, fsync of the folder. When this raises, the
    file is as before, or new and whole; the caller must look which.

    Raises:
        OSError: of the operation that failed.
    """
    temporary = f"{folder}/{name}{TEMPORARY}"
    try:
        disk.write(temporary, data)
        disk.rename(temporary, f"{folder}/{name}")
    except OSError:
        with contextlib.suppress(OSError):  # swept away at the next start otherwise
            disk.unlink(temporary)
        raise
    disk.sync_folder(folder)


def storage_failed(error: OSError, what: str) -> AgentError:
    """Return the agent's error for a disk that did not do `what`."""
    reason = error.strerror or str(error)
    return AgentError(
        AgentCode.STORAGE_FAILED,
        f"{what}: {reason}",
        hint="free space and check the file system under the state folder",
    )


class StateLock:
    """Holds the state folder for one process; freed by the kernel when the process ends.

    Raises:
        AgentError: `state-in-use` when another agent runs on the same folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._descriptor = os.open(
                folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE
            )
        except OSError as error:
            raise storage_failed(error, f"opening {folder}/lock") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise AgentError(
                AgentCode.STATE_IN_USE,
                f"another agent is working in {folder}",
                hint="stop the service first, or ask it with `chipledger-agent status`",
            ) from error

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)


def exposed(path: Path) -> str:
    """Return why a secret file is open to others than its owner, or an empty string."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        return "it is not a regular file"
    if stat.S_IMODE(facts.st_mode) & 0o077:
        return f"its mode is {stat.S_IMODE(facts.st_mode):04o}"
    if facts.st_uid not in {os.geteuid(), 0}:
        return f"it belongs to user {facts.st_uid}"
    return ""
