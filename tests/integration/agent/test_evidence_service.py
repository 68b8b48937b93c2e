"""The evidence service and the agent's side of it, over a real socket, with a stand-in program."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.domain.evidence import Gathered
from chipledger_agent.gpu_evidence.corelib import CorelibSource
from chipledger_agent.gpu_evidence.exchange import Head, Request, encode_line
from chipledger_agent.gpu_evidence.serve import answer_to, arguments_of, serve_one
from chipledger_evidence.gpu.verify import DeviceClass, Fact, verify_evidence
from chipledger_evidence.inventory import Inventory, PciKind
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Shape
from chipledger_testing.nvattest import Fault, write_nvattest
from chipledger_testing.nvml import host_of
from chipledger_testing.nvml.child import scan_in_process

NONCE = bytes(range(32))
CLOCK = SystemClock()
NOBODY = 65534
REQUEST = Request(device="gpu", nonce=NONCE.hex(), v=1)


@pytest.fixture(scope="module")
def blackwell(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """Return what a B200 host reports, its PDIs those of our own devices."""
    machine = host_of("hgx-b200", seed="service")
    for index in range(len(machine.gpus)):
        machine = machine.with_gpu(index, pdi=GpuMaker(index, Shape.BLACKWELL).pdi)
    return scan_in_process(machine, tmp_path_factory.mktemp("root")).inventory


@pytest.fixture(scope="module")
def hopper(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """Return what an H100 host reports."""
    return scan_in_process(
        host_of("hgx-h100", seed="service"), tmp_path_factory.mktemp("root")
    ).inventory


@contextmanager
def answering(folder: Path, answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen in `folder`; let `answer` take connections one after the other."""
    listener = socket.socket(socket.AF_UNIX)
    path = folder / "socket"
    listener.bind(str(path))
    listener.listen(4)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                answer(listener)
            except OSError:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def service(
    program: Path, *, deadline_s: int = 30, uid: int | None = None
) -> Callable[[socket.socket], None]:
    """Return the shipped service around `program`."""
    answer = partial(
        answer_to,
        programs=(program,),
        deadline_s=deadline_s,
        monotonic_ms=CLOCK.monotonic_ms,
        owner=os.geteuid(),
    )
    return lambda listener: serve_one(
        listener, uid=os.geteuid() if uid is None else uid, answer=answer
    )


def ask(address: str, inventory: Inventory, *, deadline_s: int = 30) -> Gathered:
    """Return what the agent's source makes of the service at `address`."""
    source = CorelibSource(monotonic_ms=CLOCK.monotonic_ms, address=address, deadline_s=deadline_s)
    return source.gather(NONCE, inventory, within_s=deadline_s)


def codes(result: Gathered) -> list[str]:
    """Return the reason codes."""
    return [reason.code for reason in result.reasons]


def test_blackwell_chips_and_switches_sign(blackwell: Inventory, tmp_path: Path) -> None:
    """Chips are named by the PDI in their certificate, switches by none."""
    program = write_nvattest(tmp_path, gpus=[2, 0, 77], switches=[0, 1])
    switched = with_switches(blackwell)
    with answering(tmp_path, service(program)) as address:
        result = ask(address, switched)

    facts = [
        verify_evidence(item.transcript, item.chain, nonce=NONCE, pins=PKI.pins, now=NOW)
        for item in result.found
    ]
    assert [item.chip for item in result.found] == [2, 0, None, None, None]
    assert [each.device_class for each in facts] == [DeviceClass.GPU] * 3 + [
        DeviceClass.NVSWITCH
    ] * 2
    assert {each.nonce for each in facts} == {Fact.PASS}
    assert result.reasons == ()


def with_switches(inventory: Inventory) -> Inventory:
    """Return `inventory` with an NVSwitch on its PCI bus."""
    first = inventory.pci[0]
    switch = msgspec.structs.replace(first, kind=PciKind.NVSWITCH, bdf="0000:05:00.0")
    return msgspec.structs.replace(inventory, pci=(*inventory.pci, switch))


def test_a_host_without_switches_says_so(blackwell: Inventory, tmp_path: Path) -> None:
    """No switch on the bus, no witness: by code."""
    plain = msgspec.structs.replace(
        blackwell, pci=tuple(f for f in blackwell.pci if f.kind is not PciKind.NVSWITCH)
    )
    with answering(tmp_path, service(write_nvattest(tmp_path, gpus=[0]))) as address:
        result = ask(address, plain)

    assert len(result.found) == 1
    assert codes(result) == ["no-switch-witness"]


def test_hopper_is_not_asked_at_all(hopper: Inventory, tmp_path: Path) -> None:
    """Corelib knows Blackwell only; switches of a Hopper board may still be witnesses."""
    with answering(tmp_path, service(write_nvattest(tmp_path, switches=[3]))) as address:
        result = ask(address, with_switches(hopper))

    assert codes(result) == ["not-offered-by-architecture"]
    assert [item.chip for item in result.found] == [None]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.FAILS, "nvattest-failed"),
        (Fault.REFUSES, "nvattest-failed"),
        (Fault.BABBLES, "nvattest-malformed"),
        (Fault.DEEP, "nvattest-malformed"),
        (Fault.NOT_BASE64, "nvattest-malformed"),
        (Fault.EMPTY_REPORT, "nvattest-malformed"),
        (Fault.FLOODS, "nvattest-oversize"),
        (Fault.OTHER_NONCE, "nonce-differs"),
    ],
)
def test_whatever_the_program_does_is_a_reason(
    blackwell: Inventory, tmp_path: Path, fault: Fault, code: str
) -> None:
    """And never evidence."""
    program = write_nvattest(tmp_path, gpus=[0], fault=fault)
    with answering(tmp_path, service(program)) as address:
        result = ask(address, blackwell)

    assert result.found == ()
    assert codes(result)[0] == code


def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    """At the service's deadline, the agent's own being longer."""
    program = write_nvattest(tmp_path, gpus=[0], fault=Fault.HANGS)
    head, output = answer_to(
        REQUEST,
        programs=(program,),
        deadline_s=1,
        monotonic_ms=CLOCK.monotonic_ms,
        owner=os.geteuid(),
    )

    assert (head.code, output) == ("deadline", b"")


def test_its_own_words_come_with_a_failure(tmp_path: Path) -> None:
    """So that the signed record says what an operator can act on."""
    program = write_nvattest(tmp_path, gpus=[0], fault=Fault.FAILS)
    head, _ = answer_to(
        REQUEST,
        programs=(program,),
        deadline_s=30,
        monotonic_ms=CLOCK.monotonic_ms,
        owner=os.geteuid(),
    )

    assert "no permission to open" in head.detail


def test_only_a_program_of_root_that_nobody_else_can_change_is_started(tmp_path: Path) -> None:
    """A path that others can write is as good as none."""
    program = write_nvattest(tmp_path, gpus=[0])
    program.chmod(0o777)
    missing = tmp_path / "nowhere"
    for programs, owner in (((program, missing), os.geteuid()), ((program,), os.geteuid() + 1)):
        program.chmod(0o777 if owner == os.geteuid() else 0o755)
        head, _ = answer_to(
            REQUEST,
            programs=programs,
            deadline_s=30,
            monotonic_ms=CLOCK.monotonic_ms,
            owner=owner,
        )
        assert head.code == "nvattest-absent"


def test_the_command_line_is_fixed_but_for_the_nonce() -> None:
    """Nothing an agent says becomes an option."""
    switch = Request(device="nvswitch", nonce=NONCE.hex(), v=1)

    assert arguments_of(REQUEST) == (
        "collect-evidence",
        "--device=gpu",
        "--gpu-evidence-source=corelib",
        "--gpu-architecture=blackwell",
        f"--nonce={NONCE.hex()}",
        "--format=json",
    )
    assert arguments_of(switch)[1:3] == ("--device=nvswitch", f"--nonce={NONCE.hex()}")


def test_another_account_is_refused(tmp_path: Path) -> None:
    """The kernel says who asks; the program is not started."""
    program = write_nvattest(tmp_path, gpus=[0])
    own = os.geteuid()
    name = f"\0chipledger-test-{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(1)
    thread = threading.Thread(target=service(program, uid=own + 1), args=[listener])
    with socket.socket(socket.AF_UNIX) as peer:
        os.seteuid(own or NOBODY)  # root itself would be served
        try:
            peer.connect(name)
        finally:
            os.seteuid(own)
        thread.start()
        peer.sendall(encode_line(REQUEST))
        answer = peer.recv(4096)
    thread.join(10)
    listener.close()

    assert b"evidence-service-peer-refused" in answer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"device":"gpu","nonce":"00","v":1}',
        b'{"device":"--help","nonce":"' + b"0" * 64 + b'","v":1}',
        b"x" * 5000,
    ],
)
def test_a_request_that_is_none_is_refused(tmp_path: Path, line: bytes) -> None:
    """Bounded, exact, and without starting anything."""
    with (
        answering(tmp_path, service(tmp_path / "no program")) as address,
        socket.socket(socket.AF_UNIX) as peer,
    ):
        peer.connect(address)
        peer.sendall(line[:600] + b"\n")
        answer = peer.recv(4096)

    assert b"evidence-service-failed" in answer


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\n",
        encode_line(Head(code="ok", size=100, v=1)) + b"short",
        encode_line(Head(code="ok", size=1, v=1)) + b"longer",
        b"x" * 10_000,
    ],
)
def test_an_answer_that_is_none_is_a_reason(
    blackwell: Inventory, tmp_path: Path, answer: bytes
) -> None:
    """Whoever sits on the socket."""

    def impostor(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    with answering(tmp_path, impostor) as address:
        result = ask(address, blackwell)

    assert codes(result)[0] == "evidence-service-failed"


def test_a_service_that_is_silent_costs_the_deadline_and_no_more(
    blackwell: Inventory, tmp_path: Path
) -> None:
    """Then the reason is signed and the round goes on."""

    def silent(_: socket.socket) -> None:
        threading.Event().wait(0.1)

    with answering(tmp_path, silent) as address:
        result = ask(address, blackwell, deadline_s=1)

    assert codes(result) == ["deadline", "no-switch-witness"]


def test_a_service_that_is_switched_off_is_a_reason(blackwell: Inventory, tmp_path: Path) -> None:
    """The default: the socket is not there."""
    assert codes(ask(str(tmp_path / "nowhere"), blackwell))[0] == "evidence-service-absent"


def test_the_program_answers_on_the_descriptor_the_service_manager_passes(
    blackwell: Inventory, tmp_path: Path
) -> None:
    """As under systemd: socket at descriptor 3, one answer, the end."""
    program = write_nvattest(tmp_path, gpus=[1])
    listener = socket.socket(socket.AF_UNIX)
    address = str(tmp_path / "socket")
    listener.bind(address)
    listener.listen(1)
    command = [sys.executable, "-m", "chipledger_agent.gpu_evidence.serve"]
    with subprocess.Popen(
        [*command, "--program", str(program), "--user", "root"],
        preexec_fn=lambda: os.dup2(listener.fileno(), 3),  # noqa: PLW1509 - no thread is running
        pass_fds=(3, listener.fileno()),
    ) as process:
        result = ask(address, blackwell)
        assert process.wait(30) == 0
    listener.close()

    assert [item.chip for item in result.found] == [1]
