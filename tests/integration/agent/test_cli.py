"""The command line, on a simulated machine and a collector over HTTP."""

import io
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from chipledger_agent import wiring
from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.adapters.durable import StateLock
from chipledger_agent.cli import main
from chipledger_agent.cli.exits import Exit
from chipledger_evidence.claims import FullReport, Heartbeat
from chipledger_testing.collector import SimulatedCollector, Trouble
from chipledger_testing.collector_http import served
from chipledger_testing.nvml import host_of, write_machine
from chipledger_testing.nvml.child import mock_command
from chipledger_testing.nvml.clib import build_library
from chipledger_testing.nvml.machine import refuse
from chipledger_testing.suites import CHECKOUT
from chipledger_testing.wire_taps import relay


@dataclass(slots=True, kw_only=True)
class Shell:
    """Types commands on one host."""

    folder: Path
    collector: SimulatedCollector
    capture: pytest.CaptureFixture[str]
    code: str = ""
    sites: Iterator[int] = field(default_factory=lambda: iter(range(1, 100)))

    def type(self, *arguments: str) -> tuple[Exit, str]:
        """Run a command; return its exit code and what it printed."""
        child = mock_command(self.folder / "machine.json")
        build = partial(wiring.build, scan_child=child, environ={})
        exit_code = Exit(
            main(["--config", str(self.folder / "agent.toml"), *arguments], build=build)
        )
        shown = self.capture.readouterr()
        return exit_code, shown.out + shown.err

    def enrol(self) -> None:
        """Enrol with a new code."""
        path = self.folder / "code"
        path.write_text(self.collector.give_code("kul-1", number=next(self.sites)) + "\n")
        assert self.type("enroll", "--code-file", str(path))[0] is Exit.OK

    def json(self, *arguments: str) -> dict[str, object]:
        """Run a command with --json and return the object."""
        found: dict[str, object] = json.loads(self.type(*arguments, "--json")[1])
        return found


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """Give an 8-GPU host, not enrolled, with a collector."""
    write_machine(host_of("hgx-h100", seed="cli"), tmp_path / "machine.json")
    collector = SimulatedCollector(SystemClock())
    with served(collector) as url:
        (tmp_path / "agent.toml").write_text(
            f'state_dir = "{tmp_path}/state"\n[collector]\nurl = "{url}"\n'
        )
        yield Shell(folder=tmp_path, collector=collector, capture=capsys)


def test_scan_prints_the_machine_and_sends_nothing(shell: Shell) -> None:
    """Neither a key nor an enrolment is needed, and none is made."""
    exit_code, text = shell.type("scan")

    assert exit_code is Exit.OK
    assert text.count("NVIDIA H100 80GB HBM3") == 8
    assert "self-reported" in text
    assert not (shell.folder / "state").exists()
    assert sum(shell.collector.requests.values()) == 0


def test_scan_says_by_its_exit_code_that_the_driver_failed(shell: Shell) -> None:
    """The record stands nevertheless."""
    machine = host_of("hgx-h100", seed="cli").with_system(init=refuse(18))
    write_machine(machine, shell.folder / "machine.json")
    exit_code, text = shell.type("scan", "--json")

    assert exit_code is Exit.SCAN
    assert json.loads(text)["inventory"]["status"] == "driver-mismatch"


def test_scan_with_a_library_of_ones_own_is_marked_as_such(shell: Shell) -> None:
    """A file that is no NVML library is a reason inside the record."""
    found = shell.json("scan", "--library", "/nonexistent/libnvidia-ml.so.1")

    inventory = found["inventory"]
    assert isinstance(inventory, dict)
    assert inventory["provider"]["kind"] == "library-override"
    assert inventory["status"] == "no-nvml"


def test_enrolment_makes_a_key_that_only_its_owner_can_read(shell: Shell) -> None:
    """And prints what the collector gave."""
    shell.enrol()

    key = shell.folder / "state" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert shell.json("status")["site"] == "kul-1"


def test_enrolling_again_gives_the_same_answer(shell: Shell) -> None:
    """Same code, same key, same host."""
    shell.enrol()
    first = shell.type("enroll", "--code-file", str(shell.folder / "code"))

    assert first == shell.type("enroll", "--code-file", str(shell.folder / "code"))
    assert len(shell.collector.enrolled) == 1


def test_the_code_may_come_by_standard_input(shell: Shell, request: pytest.FixtureRequest) -> None:
    """Never on the command line, where every process could read it."""
    before, sys.stdin = sys.stdin, io.StringIO(shell.collector.give_code("kul-1") + "\n")
    request.addfinalizer(lambda: setattr(sys, "stdin", before))

    assert shell.type("enroll")[0] is Exit.OK


def test_a_wrong_code_is_refused_and_leaves_no_enrolment(shell: Shell) -> None:
    """The key stays for the next try."""
    (shell.folder / "code").write_text("ce-" + "a" * 32)
    exit_code, text = shell.type("enroll", "--code-file", str(shell.folder / "code"))

    assert exit_code is Exit.REFUSED
    assert "unknown-enrolment-code" in text
    assert shell.type("once")[0] is Exit.NOT_ENROLLED


@pytest.mark.parametrize("content", ["", "hello", "ce-UPPER"])
def test_a_file_without_a_code_is_not_sent(shell: Shell, content: str) -> None:
    """What is in the wrong file stays on this host."""
    (shell.folder / "code").write_text(content)

    assert shell.type("enroll", "--code-file", str(shell.folder / "code"))[0] is Exit.CONFIG
    assert shell.collector.requests["enrol"] == 0


def test_once_reports_in_full_and_then_by_heartbeat(shell: Shell) -> None:
    """Signed by the host's key, taken by the collector."""
    shell.enrol()
    assert shell.type("once")[0] is Exit.OK
    assert shell.type("once")[0] is Exit.OK

    first, second = shell.collector.claims()
    assert isinstance(first, FullReport)
    assert len(first.inventory.chips) == 8
    assert len(first.counters) == 8
    assert isinstance(second, Heartbeat)


def test_once_without_a_collector_keeps_the_report(shell: Shell) -> None:
    """And says that it waits."""
    shell.enrol()
    shell.collector.trouble = [Trouble()] * 9
    exit_code, text = shell.type("once")

    assert exit_code is Exit.WAITING
    assert "collector-busy" in text
    assert shell.json("status")["waiting"] == 1
    shell.collector.trouble = []
    assert shell.type("once")[0] is Exit.OK
    assert shell.json("status")["waiting"] == 0


def test_once_says_that_a_report_was_refused(shell: Shell) -> None:
    """With the collector's code."""
    shell.enrol()
    shell.type("once")
    shell.collector.forget_after(0)
    shell.collector.change_nonce_key()
    found = shell.type("once")

    assert found[0] is Exit.REFUSED
    assert "foreign-nonce" in found[1]


def test_two_agents_do_not_share_a_state_folder(shell: Shell) -> None:
    """The second says so and ends."""
    shell.enrol()
    lock = StateLock(shell.folder / "state")
    try:
        assert shell.type("once")[0] is Exit.IN_USE
        assert shell.type("status")[0] is Exit.OK
    finally:
        lock.release()


def test_a_key_that_others_may_read_is_not_used(shell: Shell) -> None:
    """It may have been copied."""
    shell.enrol()
    (shell.folder / "state" / "key.pem").chmod(0o644)
    exit_code, text = shell.type("once")

    assert exit_code is Exit.NOT_ENROLLED
    assert "key-exposed" in text


def test_status_tells_where_the_host_stands(shell: Shell) -> None:
    """From its own files, without the collector."""
    shell.enrol()
    before = shell.json("status")
    shell.type("once")
    after = shell.json("status")

    assert "seq" not in before
    assert (after["seq"], after["acknowledged"], after["waiting"]) == (1, 1, 0)
    assert shell.type("status")[1].startswith("host")


def test_doctor_finds_nothing_on_a_good_host(shell: Shell) -> None:
    """Every step is named and good."""
    shell.enrol()
    shell.type("once")
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.OK
    assert re.findall(r"^(\w+)", text, re.MULTILINE) == ["good"] * 9


def test_doctor_names_what_is_missing_and_what_to_do(shell: Shell) -> None:
    """A host that was never enrolled, step by step."""
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.UNHEALTHY
    assert "key-missing" in text
    assert "enroll" in text


def test_doctor_sees_views_that_disagree(shell: Shell) -> None:
    """A chip that NVML does not list is named before the collector asks."""
    shell.enrol()
    machine = host_of("hgx-h100", seed="cli")
    write_machine(machine.with_gpu(3, in_nvml=0), shell.folder / "machine.json")
    findings = shell.json("doctor")["findings"]

    assert isinstance(findings, list)
    odd = [item for item in findings if item["verdict"] == "odd"]
    assert [item["step"] for item in odd] == ["driver views"]


def test_doctor_sees_a_key_that_was_not_enrolled(shell: Shell) -> None:
    """An exchanged key file would have every report refused."""
    shell.enrol()
    (shell.folder / "state" / "key.pem").rename(shell.folder / "state" / "old.pem")
    shell.type("enroll", "--code-file", str(shell.folder / "code"))
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.UNHEALTHY
    assert "holds another key" in text


def test_doctor_looks_on_without_a_configuration(shell: Shell) -> None:
    """A fresh machine: one finding with what to write, and every other step still looked at."""
    (shell.folder / "agent.toml").unlink()
    exit_code, text = shell.type("doctor", "--json")
    findings = {item["step"]: item for item in json.loads(text)["findings"]}

    assert exit_code is Exit.UNHEALTHY
    assert findings["configuration"]["verdict"] == "bad"
    assert "config-unreadable" in findings["configuration"]["detail"]
    assert 'url = "https://' in findings["configuration"]["hint"]
    assert findings["driver views"]["detail"].startswith("chips: NVML 8, PCI 8, /proc 8")
    assert {"key", "spool"} <= findings.keys()
    assert findings["collector"]["verdict"] == findings["chain"]["verdict"] == "note"


def test_doctor_uses_what_a_refused_configuration_does_say(shell: Shell) -> None:
    """A missing collector does not hide the state folder that the file names."""
    shell.enrol()
    (shell.folder / "agent.toml").write_text(f'state_dir = "{shell.folder}/state"\n')
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.UNHEALTHY
    assert "bad   configuration: config-bad-value" in text
    assert "good  key: " in text
    assert "good  spool: " in text


def test_doctor_notes_a_collector_that_tells_no_time(shell: Shell) -> None:
    """Nothing is odd about it: the clocks could not be compared, that is all."""
    shell.enrol()
    shell.collector.tells_time = False
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.OK
    assert re.search(r"^note  collector: .* takes reports; .*not compared$", text, re.MULTILINE)


def test_status_tells_the_last_contact_as_time_and_age(shell: Shell) -> None:
    """For people; programs get the number."""
    shell.enrol()
    shell.type("once")
    (line,) = re.findall(r"^last_contact .*$", shell.type("status")[1], re.MULTILINE)

    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(.* ago\)$", line)
    assert isinstance(shell.json("status")["last_contact_s"], int)


def test_a_capture_without_a_library_fails_and_says_why(shell: Shell) -> None:
    """No empty document, neither on standard output nor in a file."""
    path = shell.folder / "capture.json"
    arguments = ("--library", "/nonexistent/libnvidia-ml.so.1", "--output", str(path))
    exit_code, text = shell.type("capture", *arguments)

    assert exit_code is Exit.SCAN
    assert "capture-failed: no NVML library: /nonexistent/libnvidia-ml.so.1" in text
    assert not path.exists()


@pytest.mark.cc
def test_a_capture_is_printed_or_written(shell: Shell) -> None:
    """A document for the tests, of this very machine; nothing is sent."""
    library, path = str(build_library(shell.folder)), shell.folder / "capture.json"
    exit_code, text = shell.type("capture", "--library", library)
    document, end = json.JSONDecoder().raw_decode(text)
    assert exit_code is Exit.OK
    assert document["format"].startswith("chipledger-capture-")
    assert re.fullmatch(r"\s+chipledger-agent: capture: \d+ of \d+ calls failed\n", text[end:])

    text = shell.type("capture", "--library", library, "--output", str(path), "--json")[1]
    written = json.JSONDecoder().raw_decode(text)[0]
    assert written["bytes"] == path.stat().st_size
    assert 0 < written["failed_calls"] < written["calls"]
    assert sum(shell.collector.requests.values()) == 0


@pytest.mark.cc
def test_a_capture_that_cannot_be_written_fails(shell: Shell) -> None:
    """With the code that a script can tell."""
    library, path = str(build_library(shell.folder)), str(shell.folder / "no" / "where")
    exit_code, text = shell.type("capture", "--library", library, "--output", path)

    assert exit_code is Exit.SCAN
    assert "capture-failed" in text


def test_a_lost_chip_is_shown_as_lost(shell: Shell) -> None:
    """With its reason; the count never shrinks."""
    machine = host_of("hgx-h100", seed="cli").with_gpu(3, handle=refuse(15))
    write_machine(machine, shell.folder / "machine.json")
    text = shell.type("scan")[1]

    assert "NVML 8" in text
    assert "lost: NVML error 15" in text


def test_doctor_tells_of_a_driver_that_failed_and_of_reports_that_wait(shell: Shell) -> None:
    """Odd, not bad: reports go on."""
    shell.enrol()
    shell.collector.trouble = [Trouble()] * 9
    shell.type("once")
    shell.collector.trouble = []
    machine = host_of("hgx-h100", seed="cli").with_system(init=refuse(18))
    write_machine(machine, shell.folder / "machine.json")
    exit_code, text = shell.type("doctor")

    assert exit_code is Exit.OK
    assert "odd   driver views: driver-mismatch" in text
    assert "spool: 1 reports" in text


def test_once_says_in_words_what_it_did(shell: Shell) -> None:
    """Full report and cause, heartbeat, what waits."""
    shell.enrol()

    assert "report 1, full report (first)" in shell.type("once")[1]
    assert "report 2, heartbeat" in shell.type("once")[1]
    shell.collector.trouble = [Trouble()] * 9
    assert "1 in the spool: collector-busy" in shell.type("once")[1]


def test_reports_are_small_on_the_wire(shell: Shell) -> None:
    """The bars of the design for an 8-GPU host, HTTP head included: 4 kB and 1 kB."""
    shell.enrol()
    config = shell.folder / "agent.toml"
    (port,) = re.findall(r":(\d+)", config.read_text())
    with relay(int(port)) as tap:
        config.write_text(config.read_text().replace(f":{port}", f":{tap.port}"))
        shell.type("once")
        shell.type("once")
        requests = bytes(tap.sent).split(b"POST ")
    full, heartbeat = (len(part) + 5 for part in requests if part.startswith(b"/v1/reports"))

    assert full <= 4096
    assert heartbeat <= 1000


def test_an_unknown_configuration_key_ends_with_a_suggestion(shell: Shell) -> None:
    """Before anything is done."""
    with (shell.folder / "agent.toml").open("a") as file:
        file.write('prxy = "http://127.0.0.1:1"\n')
    exit_code, text = shell.type("once")

    assert exit_code is Exit.CONFIG
    assert "did you mean collector.proxy?" in text


def test_the_environment_names_no_proxy(shell: Shell) -> None:
    """Variables that every other program obeys send nothing astray."""
    shell.enrol()
    dead = "http://127.0.0.1:1"
    machine, config = str(shell.folder / "machine.json"), str(shell.folder / "agent.toml")
    arguments = ["--machine", machine, "--", "once", "--config", config]
    done = subprocess.run(
        [sys.executable, "-m", "chipledger_testing.agent", *arguments],
        env={
            "PYTHONPATH": str(CHECKOUT / "tests" / "support"),
            "HTTP_PROXY": dead,
            "HTTPS_PROXY": dead,
            "ALL_PROXY": dead,
            "http_proxy": dead,
        },
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == Exit.OK, done.stderr


def test_a_wrong_command_line_ends_with_usage(shell: Shell) -> None:
    """As argparse has it."""
    with pytest.raises(SystemExit) as caught:
        shell.type("enroll", "--code", "ce-secret")

    assert caught.value.code == Exit.USAGE
