"""The requirement files pin every part by digest and name no address."""

import re
import tomllib
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT

FILES = sorted((CHECKOUT / "requirements").glob("*.txt"))
ROLES = {"audit", "agent", "manifests", "server", "demo", "dev", "tpm", "tpm-build"}
APART = {"tpm2-pytss", "pkgconfig", "setuptools", "setuptools-scm", "vcs-versioning"}
"""What is built from source against system packages that most machines lack."""

PIN = re.compile(r"^[a-z0-9-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+$")


def logical_lines(text: str) -> list[str]:
    """Return the lines of a requirement file with their continuations."""
    return re.findall(r"(?:[^\n]*\\\n)*[^\n]+", text)


def pins(path: Path) -> dict[str, str]:
    """Return version by name."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def test_there_is_one_file_for_each_role() -> None:
    """A file for each role, and no other."""
    assert {path.stem for path in FILES} == ROLES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_line_is_a_pin_with_digests(path: Path) -> None:
    """Exact versions with SHA-256 digests, and nothing else: no address, no option, no path."""
    lines = logical_lines(path.read_text(encoding="utf-8"))

    assert lines
    assert [line for line in lines if not PIN.match(line)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_roles_agree_on_versions(path: Path) -> None:
    """What two roles share they share in one version: an environment can hold both."""
    shared = {name: pin for name, pin in pins(path).items() if name not in APART}

    assert shared.items() <= pins(CHECKOUT / "requirements" / "dev.txt").items()


@pytest.mark.parametrize(
    ("role", "extra"),
    [
        ("audit", None),
        ("agent", "agent"),
        ("manifests", "manifests"),
        ("server", "server"),
        ("tpm", "tpm"),
    ],
)
def test_every_declared_dependency_is_pinned(role: str, extra: str | None) -> None:
    """The files were written after the last change of pyproject.toml's dependencies."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])

    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in declared}
    assert names <= pins(CHECKOUT / "requirements" / f"{role}.txt").keys()
