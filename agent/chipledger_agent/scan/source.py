"""Where the scan's NVML comes from: an explicit argument, never a setting in the environment."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chipledger_agent.scan.library import choose, describe, mapped
from chipledger_evidence.inventory import Library, Reasons, Unread, Why


class NoLibraryError(Exception):
    """There is no NVML library to load; `unread` says why, when one was there."""

    def __init__(self, unread: Reasons) -> None:
        super().__init__("no NVML library")
        self.unread = unread


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedLibrary:
    """A library the binding can call.

    Attributes:
        calls: the CDLL, or a stand-in with the same functions.
        facts: what the file is; None for a stand-in.
        unread: why `facts` are not known.
    """

    calls: object
    facts: Library | None = None
    unread: Reasons


class Source(Protocol):
    """Gives the NVML library, and says what kind it is in the signed record."""

    @property
    def kind(self) -> str:
        """`nvml` for the real one; anything else is accepted only for a test site."""
        ...

    def load(self) -> LoadedLibrary:
        """Return the loaded library.

        Raises:
            NoLibraryError: none could be loaded.
        """
        ...


class SystemLibrary:
    """The real library, by absolute path, from an allow-list of root-owned places."""

    kind = "nvml"

    def __init__(self, candidates: Sequence[Path]) -> None:
        self._candidates = candidates

    def load(self) -> LoadedLibrary:
        """Load the first candidate that is root's."""
        path, reason = choose(self._candidates)
        if path is None:
            raise NoLibraryError({} if reason is None else {"provider.library": reason})
        return load_file(path)


class OverrideLibrary:
    """A library somebody named on the command line. What it says is printed, never sent."""

    kind = "library-override"

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> LoadedLibrary:
        """Load exactly this file."""
        return load_file(self._path.absolute())


def load_file(path: Path) -> LoadedLibrary:
    """Load the library file `path` and describe what is mapped.

    Raises:
        NoLibraryError: the loader refuses the file.
    """
    try:
        calls = ctypes.CDLL(str(path))
    except OSError as error:
        raise NoLibraryError({"provider.library": Unread(why=Why.OS_ERROR)}) from error
    try:
        real = path.resolve(strict=True)
        if mapped(real):
            return LoadedLibrary(calls=calls, facts=describe(real), unread={})
    except OSError:
        pass
    return LoadedLibrary(
        calls=calls,
        facts=Library(path=str(path)),
        unread={"provider.library": Unread(why=Why.OS_ERROR)},
    )
