"""What is left out is said, with the line that would bring it; with CI set nothing is left out."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT, Suite, lacking, load, program, remedy

SAMPLE = """
import pytest

@pytest.mark.cc
def test_needs_a_compiler() -> None:
    '''Never runs where no compiler is.'''

def test_needs_nothing() -> None:
    '''Runs anywhere.'''
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Return a folder with the house's conftest and two tests, one of which needs a compiler."""
    (tmp_path / "conftest.py").symlink_to(CHECKOUT / "tests" / "conftest.py")
    (tmp_path / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    return tmp_path


def run(sample: Path, environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the sample's tests as the house runs its own."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"--config-file={CHECKOUT / 'pyproject.toml'}"),
            *(f"--rootdir={sample}", "-p", "no:cacheprovider", *options, str(sample)),
        ],
        cwd=sample,
        env={"PYTHONPATH": str(CHECKOUT / "tests" / "support"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_machine_that_lacks_something_passes_and_says_what(
    sample: Path, options: tuple[str, ...]
) -> None:
    """Everything else runs, the run passes, and its end names the suite and the one apt line."""
    result = run(sample, {"PATH": str(sample)}, *options)

    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 skipped" in result.stdout.splitlines()[-1]
    assert "suite left out: cc, a tiny C NVML library" in result.stdout
    assert "apt-get install gcc libc6-dev\n" in result.stdout


def test_with_ci_set_a_missing_tool_is_a_failure(sample: Path) -> None:
    """The build server leaves nothing out."""
    result = run(sample, {"PATH": str(sample), "CI": "true"})

    assert result.returncode == 1
    assert "CI is set, so nothing may be left out" in result.stdout


def test_with_ci_set_no_test_may_skip_itself(sample: Path) -> None:
    """A test that skips for a reason of its own is a failure there, too."""
    (sample / "test_shy.py").write_text(
        "import pytest\n\ndef test_shy() -> None:\n    pytest.skip('not today')\n", encoding="utf-8"
    )

    assert run(sample, {"PATH": os.environ["PATH"], "CI": "true"}, "-k", "shy").returncode == 1
    assert run(sample, {"PATH": os.environ["PATH"]}, "-k", "shy").returncode == 0


def test_no_test_leaves_itself_out() -> None:
    """What may be left out is a suite of the list: only that is named with what would bring it."""
    itself = {CHECKOUT / "tests" / "project" / name for name in ("test_make.py", "test_suites.py")}
    left_out = re.compile(r"pytest\.(skip|importorskip)\(|mark\.skip")
    tests = set((CHECKOUT / "tests").rglob("test_*.py")) - itself

    assert tests
    assert not [test.name for test in tests if left_out.search(test.read_text(encoding="utf-8"))]


def put_program(folder: Path, status: int) -> str:
    """Put a program into `folder` that answers everything with `status`; return its path."""
    path = folder / f"program-{status}"
    path.write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_only_says_what_to_install_is_missing(tmp_path: Path) -> None:
    """A command on PATH that fails even at telling its version is passed over."""
    stub, real = put_program(tmp_path, 10), put_program(tmp_path, 0)

    assert program(stub) is None
    assert program(f"{stub}|{real}") == real
    assert Suite(name="x", what="", commands=(stub,)).missing() == (stub,)


def test_where_a_browser_is_a_snap_the_line_says_so(tmp_path: Path) -> None:
    """Ubuntu's apt has no Chromium: it is not asked for one, and the line names the snap."""
    gone = (tmp_path / "gone",)
    compiler = Suite(name="cc", what="", files=gone, apt=("gcc",))
    here = load({}, system="ubuntu")["browser"]
    browser = Suite(name="browser", what="", files=gone, apt=here.apt, snap=here.snap)

    assert lacking([browser, compiler]) == ["gcc"]
    assert remedy([browser, compiler]) == "apt-get install gcc && snap install chromium"
    assert remedy([browser]) == "snap install chromium"


def test_what_is_built_needs_the_headers_of_the_running_python() -> None:
    """Not those of some other Python: `{include}` in the list is where this one keeps its own."""
    assert Path(sysconfig.get_path("include"), "Python.h") in load({})["tpm"].files


def test_debian_needs_no_snap() -> None:
    """There the browser is a package like any other."""
    browser = load({}, system="debian")["browser"]

    assert (browser.apt, browser.snap) == (("chromium",), ())


def test_a_command_may_have_alternatives() -> None:
    """One of the programs named by a need is enough."""
    either = Suite(name="x", what="", commands=("no-such-program|tar",), apt=("x",))
    neither = Suite(name="x", what="", commands=("no-such-program|nor-this",), apt=("x",))

    assert either.missing() == ()
    assert neither.missing() == ("no-such-program|nor-this",)


def test_the_apt_line_names_each_package_once(tmp_path: Path) -> None:
    """Packages of all suites that lack something, sorted, without repeats."""
    gone = (tmp_path / "gone",)
    suites = [
        Suite(name="a", what="", files=gone, apt=("z", "a")),
        Suite(name="b", what="", files=gone, apt=("a",)),
        Suite(name="c", what="", files=(tmp_path,), apt=("unneeded",)),
    ]

    assert lacking(suites) == ["a", "z"]


def test_shared_folders_are_where_the_variable_says(tmp_path: Path) -> None:
    """CHIPLEDGER_SHARED moves the folder of captures, evidence and tables."""
    for name in ("captures", "evidence", "tables"):
        (tmp_path / name).mkdir()

    assert load({"CHIPLEDGER_SHARED": str(tmp_path)})["shared"].missing() == ()
    assert load({"CHIPLEDGER_SHARED": str(tmp_path / "gone")})["shared"].missing() != ()
