"""The built wheel, in clean environments: each role gets what it needs, nothing of the others."""

import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT

PACKAGES = frozenset(
    {
        "chipledger_evidence",
        "chipledger_book",
        "chipledger_audit",
        "chipledger_agent",
        "chipledger_server",
    }
)

# Imports every module of the packages named on the command line, then prints what is importable
# of the names after `--`. Alembic alone can load migrations; the extra `tpm` is built apart.
PROBE = """
import importlib, importlib.util, pkgutil, sys
packages, names = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
for package in map(importlib.import_module, packages):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name != "tpm2_pytss":
                    raise
print(*(name for name in names if importlib.util.find_spec(name)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who installs the wheel, with which extra, to run which packages."""

    name: str
    extra: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    absent: frozenset[str]


AGENT_ONLY = frozenset({"pynvml", "requests", "apscheduler"})
SERVER_ONLY = frozenset({"litestar", "uvicorn", "sqlalchemy", "alembic", "jinja2"})
LIBRARIES = ("chipledger_evidence", "chipledger_book", "chipledger_audit")
ROLES = (
    Role(
        name="audit",
        extra="",
        programs=("chipledger-verify", "chipledger-audit", "chipledger-sign"),
        packages=LIBRARIES,
        absent=AGENT_ONLY | SERVER_ONLY,
    ),
    Role(
        name="agent",
        extra="[agent]",
        programs=("chipledger-agent",),
        packages=("chipledger_evidence", "chipledger_agent"),
        absent=SERVER_ONLY,
    ),
    Role(
        name="server",
        extra="[server]",
        programs=("chipledger-server",),
        packages=(*LIBRARIES, "chipledger_server"),
        absent=AGENT_ONLY,
    ),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the checkout with what is installed here, asking no registry."""
    out = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(out),
        str(CHECKOUT),
    )
    (built,) = out.glob("*.whl")
    return built


def run(*command: str) -> str:
    """Return what `command` printed; an exit status other than 0 fails the test with its words."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def distributions(requirements: str) -> set[str]:
    """Return the names that a requirement file may install."""
    return set(re.findall(r"^([a-z0-9-]+)==", requirements, re.MULTILINE))


def test_the_wheel_holds_the_five_packages_and_nothing_of_the_tests(wheel: Path) -> None:
    """No test, no fake, no simulator is shipped, and every package says that it is typed."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert [
        name for name in names if re.search(r"(?<![a-z])test|fake|mock|simulat|conftest", name)
    ] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_gets_what_it_needs_and_nothing_of_the_others(
    wheel: Path, tmp_path: Path, role: Role
) -> None:
    """The hashed file of a role satisfies the wheel with its extra, and brings no other's parts."""
    python = str(tmp_path / "bin" / "python")
    requirements = CHECKOUT / "requirements" / f"{role.name}.txt"
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path))
    pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "install", "--no-compile")
    run(*pip, "--require-hashes", "--requirement", str(requirements))
    run(*pip, "--no-index", f"{wheel}{role.extra}")

    foreign = run(python, "-I", "-c", PROBE, *role.packages, "--", *role.absent)
    installed = run(
        python,
        "-I",
        "-c",
        "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))",
    )

    for program in role.programs:
        assert run(str(tmp_path / "bin" / program), "--help").startswith("usage:")
    assert foreign.split() == []
    allowed = distributions(requirements.read_text(encoding="utf-8")) | {"chipledger"}
    assert {re.sub(r"[-_.]+", "-", name) for name in installed.split()} <= allowed
