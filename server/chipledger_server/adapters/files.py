"""Small files that hold secrets or say where we are."""

import os
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`, durably.

    Raises:
        FileExistsError: there is something at `path`; a secret is never overwritten.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def publish(draft: Path, path: Path) -> None:
    """Give what stands complete in `draft` its name, durably and in one step."""
    draft.rename(path)
    _sync_folder(path.parent)


def write_public(path: Path, content: str) -> None:
    """Replace `path` by `content` in one step: a reader sees all of it or nothing."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(content, "utf-8")
    beside.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
