"""The front door: the Makefile holds no logic, and set-up says what it lacks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT

MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE))
PROMISED = {"help", "setup", "fix", "check", "test", "demo", "bench", "ci"}
TOOLS_OF_SETUP = ("bash", "cat", "cut", "dirname", "rm", "sha256sum", "tail")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a copy of what set-up reads, and a `bin` with the bare system's tools: no Python."""
    for name in ("tools", "requirements"):
        shutil.copytree(CHECKOUT / name, tmp_path / name)
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS_OF_SETUP:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def put_python(bare: Path, script: str) -> None:
    """Put a `python3` that is `script` where set-up looks for one."""
    program = bare / "bin" / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def setup(bare: Path, role: str = "dev") -> subprocess.CompletedProcess[str]:
    """Run set-up with nothing but the bare system's tools."""
    return subprocess.run(
        [str(bare / "tools" / "setup"), role],
        env={"PATH": str(bare / "bin"), "HOME": str(bare)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_promised_target_is_there() -> None:
    """The targets that the documents name exist."""
    assert TARGETS.keys() >= PROMISED


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_target_is_one_call(target: str) -> None:
    """No target decides anything: each is one call into tools/."""
    assert re.fullmatch(r"\t@tools/[a-z]+( [a-z]+)?\n", TARGETS[target])


def test_help_names_every_target() -> None:
    """`make help` is complete."""
    shown = subprocess.run(
        [str(CHECKOUT / "tools" / "help")], capture_output=True, text=True, check=True
    ).stdout

    assert set(re.findall(r"^  make ([a-z]+) +\S", shown, re.MULTILINE)) == TARGETS.keys()


def test_without_python_one_line_says_what_to_install(bare: Path) -> None:
    """No Python at all: one line, and a failure."""
    result = setup(bare)

    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    assert line.endswith("apt-get install python3 python3-venv")


def test_an_old_python_is_told_from_none(bare: Path) -> None:
    """Where only an older Python is, the line names the newer one to add."""
    put_python(bare, "exit 1")

    result = setup(bare)

    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    assert line.endswith("apt-get install python3.11 python3.11-venv")


def test_python_without_venv_and_pip_is_told_the_one_package(bare: Path) -> None:
    """A Python that can make no environment in either way: one line, nothing half-made left."""
    put_python(bare, f'case "$*" in *venv*|*pip*) exit 1;; esac\nexec {sys.executable} "$@"')

    result = setup(bare)

    assert result.returncode != 0
    assert re.search(r"apt-get install python3\.\d+-venv$", result.stderr)
    assert not (bare / ".venv").exists()


def test_the_tpm_part_waits_for_the_headers_that_it_is_built_against(bare: Path) -> None:
    """Nothing is tried, nothing said and nothing stamped, so the next run builds it."""
    lacks = 'case "$*" in *Python.h*|*tpm2_pytss*) exit 1;; esac'
    here = f'#!/bin/sh\n{lacks}\nexec {sys.executable} "$@"'
    (bare / ".venv" / "bin").mkdir(parents=True)
    programs = {".venv/bin/python": here, "bin/cc": "#!/bin/sh", "bin/pkg-config": "#!/bin/sh"}
    for name, script in programs.items():
        (bare / name).write_text(f"{script}\n", encoding="utf-8")
        (bare / name).chmod(0o755)

    result = setup(bare, "tpm")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (bare / ".venv" / "stamp-tpm").exists()


def test_a_set_up_environment_is_left_alone() -> None:
    """Set-up does nothing, and says nothing, where nothing changed."""
    if not (CHECKOUT / ".venv" / "stamp-dev").exists():
        pytest.skip("this environment was not made by `make setup`")
    result = subprocess.run(
        [str(CHECKOUT / "tools" / "setup"), "dev"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
