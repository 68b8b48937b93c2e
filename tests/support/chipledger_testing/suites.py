"""What suites need beyond Python, and whether this machine has it.

`tools/suites.toml` is the one list. `tests/conftest.py` leaves suites out by it, and
`python -m chipledger_testing.suites` prints the system packages that this machine lacks.
Standard library only: it runs before anything else may be assumed.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
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
    snap: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """Return what this machine lacks of the suite's needs, in words; empty when it can run."""
        modules = (f"module {name}" for name in self.modules if find_spec(name) is None)
        return (*self.missing_system(), *modules)

    def missing_system(self) -> tuple[str, ...]:
        """Return what it lacks of what the system's packages bring."""
        commands = (need for need in self.commands if program(need) is None)
        files = (str(path) for path in self.files if not path.exists())
        return (*commands, *files)


def shared_folder(environ: Mapping[str, str]) -> Path:
    """Return where captures and tables of real machines lie, present or not."""
    named = environ.get("CHIPLEDGER_SHARED")
    return Path(named) if named else CHECKOUT.parent / "shared"


def program(need: str) -> str | None:
    """Return the first of a need's alternatives (`a|b`) that is on PATH and works, or None.

    Being there is not enough: Ubuntu's `chromium-browser` is a script that only names a snap.
    """
    found = (shutil.which(name) for name in need.split("|"))
    return next((path for path in found if path and _answers(path)), None)


def distribution() -> str:
    """Return the name by which this system's os-release calls it (`debian`), or nothing."""
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return ""


def load(environ: Mapping[str, str], *, system: str = "debian") -> dict[str, Suite]:
    """Return every suite of the list by name, with the packages of `system`.

    Raises:
        TypeError: the list holds an unknown key.
    """
    return {
        name: _suite(name, environ, system, **entry)
        for name, entry in tomllib.loads(LIST.read_text(encoding="utf-8")).items()
    }


def lacking(suites: Iterable[Suite]) -> list[str]:
    """Return the system packages that would bring what this machine lacks, sorted."""
    return sorted({package for suite in suites if suite.missing_system() for package in suite.apt})


def remedy(suites: Iterable[Suite]) -> str:
    """Return the one command line that would bring what this machine lacks; empty for nothing."""
    suites = tuple(suites)
    snaps = sorted({snap for suite in suites if suite.missing_system() for snap in suite.snap})
    commands = (("apt-get install", lacking(suites)), ("snap install", snaps))
    return " && ".join(f"{command} {' '.join(names)}" for command, names in commands if names)


@cache
def _answers(path: str) -> bool:
    try:
        subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _suite(
    name: str,
    environ: Mapping[str, str],
    system: str,
    *,
    what: str,
    commands: Iterable[str] = (),
    files: Iterable[str] = (),
    apt: Iterable[str] = (),
    ubuntu_snap: Iterable[str] = (),
    modules: Iterable[str] = (),
) -> Suite:
    shared = shared_folder(environ)
    include = sysconfig.get_path("include")
    snap = tuple(ubuntu_snap) if system == "ubuntu" else ()
    return Suite(
        name=name,
        what=what,
        commands=tuple(commands),
        files=tuple(shared / file.format(include=include) for file in files),
        apt=() if snap else tuple(apt),
        snap=snap,
        modules=tuple(modules),
    )


if __name__ == "__main__":
    sys.stdout.write(" ".join(lacking(load(os.environ, system=distribution()).values())))
