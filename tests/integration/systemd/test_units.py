"""The units hold what systemd itself can check without being booted."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chipledger_agent.gpu_evidence.exchange import SOCKET
from chipledger_testing.suites import CHECKOUT

pytestmark = pytest.mark.systemd

SERVICES = ("chipledger-agent", "chipledger-server")
EVIDENCE = "chipledger-gpu-evidence"
UNITS = {name: CHECKOUT / "systemd" / f"{name}.service" for name in (*SERVICES, EVIDENCE)}
PROGRAMS = {EVIDENCE: "chipledger-agent-evidence"}
MOST_EXPOSURE = 2.0


def settings(unit: Path) -> list[str]:
    """Return the unit's settings, without comments and sections."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "=" in line and not line.startswith("#")]


@pytest.fixture(params=sorted(UNITS))
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of one unit whose program exists here; nothing else in it is changed."""
    name: str = request.param
    program = tmp_path / name
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    text = UNITS[name].read_text(encoding="utf-8")
    copy = tmp_path / f"{name}.service"
    shipped = f"/opt/chipledger/bin/{PROGRAMS.get(name, name)}"
    copy.write_text(text.replace(shipped, str(program)), encoding="utf-8")
    assert str(program) in copy.read_text(encoding="utf-8")
    socket = UNITS[name].with_suffix(".socket")
    if socket.exists():
        shutil.copy(socket, tmp_path)
    return copy


def test_systemd_finds_nothing_to_say(unit: Path) -> None:
    """`systemd-analyze verify` ends well and prints not one line."""
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_exposure_stays_low(unit: Path) -> None:
    """Systemd's own scale puts the unit at 2.0 or lower."""
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )

    verdict = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert verdict is not None, result.stdout
    assert float(verdict[1]) <= MOST_EXPOSURE, result.stdout


def test_the_agent_can_see_what_it_reports() -> None:
    """Nothing hides /proc/driver/nvidia, the NVIDIA devices, or the owner of the NVML library."""
    agent = settings(UNITS["chipledger-agent"])

    assert "DevicePolicy=closed" in agent
    assert {"DeviceAllow=char-nvidia rw", "DeviceAllow=char-nvidiactl rw"} <= set(agent)
    for hidden in ("ProcSubset=", "PrivateDevices=", "PrivateUsers=", "PrivateNetwork="):
        assert not [line for line in agent if line.startswith(hidden)]


def test_the_agent_is_watched() -> None:
    """The agent's unit waits for readiness and has a watchdog."""
    agent = settings(UNITS["chipledger-agent"])

    assert "Type=notify" in agent
    assert [line for line in agent if line.startswith("WatchdogSec=")]


def test_the_evidence_service_is_off_until_somebody_wants_it() -> None:
    """Only its socket can be switched on, and the agent's unit does not ask for it."""
    shipped = UNITS[EVIDENCE].read_text(encoding="utf-8")
    agent = UNITS["chipledger-agent"].read_text(encoding="utf-8")

    assert "[Install]" not in shipped
    assert EVIDENCE not in agent


def test_the_evidence_service_reaches_no_network_and_serves_one_account() -> None:
    """Nothing of NVIDIA's can be asked from it, and nobody but the agent can ask it."""
    service = settings(UNITS[EVIDENCE])
    socket = settings(UNITS[EVIDENCE].with_suffix(".socket"))

    assert "PrivateNetwork=yes" in service
    assert "CapabilityBoundingSet=CAP_SYS_ADMIN" in service
    assert {"SocketUser=chipledger-agent", "SocketMode=0600", "Accept=no"} <= set(socket)
    assert f"ListenStream={SOCKET}" in socket


@pytest.mark.parametrize("name", SERVICES)
def test_accounts_and_folders_exist_before_the_first_start(name: str) -> None:
    """Each unit's account is in the sysusers snippet, its state folder in the tmpfiles snippet."""
    users = (CHECKOUT / "systemd/sysusers.d/chipledger.conf").read_text(encoding="utf-8")
    folders = (CHECKOUT / "systemd/tmpfiles.d/chipledger.conf").read_text(encoding="utf-8")

    assert f"User={name}" in settings(UNITS[name])
    assert f"StateDirectory={name}" in settings(UNITS[name])
    assert re.search(rf"^u {name} ", users, re.MULTILINE)
    assert re.search(rf"^d /var/lib/{name} +0700 {name} ", folders, re.MULTILINE)


def test_snippets_are_accepted_by_systemd(tmp_path: Path) -> None:
    """A dry root takes the sysusers and tmpfiles snippets without a word of complaint."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    users = CHECKOUT / "systemd/sysusers.d/chipledger.conf"
    folders = CHECKOUT / "systemd/tmpfiles.d/chipledger.conf"

    for command in (
        ["systemd-sysusers", f"--root={root}", str(users)],
        ["systemd-tmpfiles", "--clean", f"--root={root}", str(folders)],
    ):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    accounts = (root / "etc/passwd").read_text(encoding="utf-8")
    assert accounts.count("/usr/sbin/nologin") == len(SERVICES)
