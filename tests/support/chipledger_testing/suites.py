"""What suites need beyond Python, and whether this machine has it.

`tools/suites.toml` is the one list. `tests/conftest.py` leaves suites out by it, and
`python -m chipledger_testing.suites` prints the system packages that this machine lacks.
Standard library only: it runs before anything else may be assumed.
"""

import os
import shutil
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
LIST = CHECKOUT / "tools" / "suites.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that share a marker and a need."""

    name: str
    what: str
    commands: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    apt: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """Return what this machine lacks of the suite's needs, in words; empty when it can run."""
        commands = (need for need in self.commands if not any(map(shutil.which, need.split("|"))))
        files = (str(path) for path in self.files if not path.exists())
        return (*commands, *files)


def shared_folder(environ: Mapping[str, str]) -> Path:
    """Return where captures and tables of real machines lie, present or not."""
    named = environ.get("CHIPLEDGER_SHARED")
    return Path(named) if named else CHECKOUT.parent / "shared"


def load(environ: Mapping[str, str]) -> dict[str, Suite]:
    """Return every suite of the list by name; an unknown key in the list is a TypeError."""
    return {
        name: _suite(name, environ, **entry)
        for name, entry in tomllib.loads(LIST.read_text(encoding="utf-8")).items()
    }


def lacking(suites: Iterable[Suite]) -> list[str]:
    """Return the system packages that would bring what this machine lacks, sorted."""
    return sorted({package for suite in suites if suite.missing() for package in suite.apt})


def _suite(
    name: str,
    environ: Mapping[str, str],
    *,
    what: str,
    commands: Iterable[str] = (),
    files: Iterable[str] = (),
    apt: Iterable[str] = (),
) -> Suite:
    shared = shared_folder(environ)
    return Suite(
        name=name,
        what=what,
        commands=tuple(commands),
        files=tuple(shared / file for file in files),
        apt=tuple(apt),
    )


if __name__ == "__main__":
    sys.stdout.write(" ".join(lacking(load(os.environ).values())))
