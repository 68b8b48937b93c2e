"""A BMC's Redfish service over HTTPS: a tree of resources, chips that sign, and ways to fail."""

import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from chipledger_testing.gpu_pki import GpuMaker, Shape

INTEGRITY = "/redfish/v1/ComponentIntegrity"
CHASSIS = "/redfish/v1/Chassis"
TASKS = "/redfish/v1/TaskService/Tasks"
ACTION = "ComponentIntegrity.SPDMGetSignedMeasurements"
USER, PASSWORD = "chipledger", "of the bmc"
Tree = dict[str, dict[str, Any]]
_LOOKS = 2
"""How often a task is looked at before it is done."""


class Fault(StrEnum):
    """How an answer goes wrong."""

    HANGS = "hangs"  # nothing comes
    DRIPS = "drips"  # headers that never end, an octet at a time
    SHORT = "short"  # fewer bytes than it says
    CUT = "cut"  # says fewer bytes than it sends
    ENDLESS = "endless"  # never ends
    REDIRECTS = "redirects"
    NOT_JSON = "not-json"
    WRONG_TYPES = "wrong-types"
    DEEP = "deep"
    ABSENT = "absent"
    BROKEN = "broken"  # status 500
    TASK_FAILS = "task-fails"
    TASK_STAYS = "task-stays"
    LEADS_AWAY = "leads-away"  # the task is said to be on another machine


_STATUSES = {Fault.ABSENT: 404, Fault.BROKEN: 500}
_BODIES = {
    Fault.NOT_JSON: b"<html>welcome</html>",
    Fault.WRONG_TYPES: b'{"Members": 7, "Id": 1, "SignedMeasurements": []}',
    Fault.DEEP: b"[" * 100_000,
}
_HEADS = {
    Fault.SHORT: (200, "Content-Length: 1000"),
    Fault.CUT: (200, "Content-Length: 10"),
    Fault.REDIRECTS: (302, "Location: https://192.0.2.1/redfish/v1\r\nContent-Length: 15"),
}
_ENDS_CONNECTION = frozenset({Fault.SHORT, Fault.CUT, Fault.HANGS, Fault.DRIPS, Fault.ENDLESS})
_CHUNK = b"1000\r\n" + b" " * 4096 + b"\r\n"


@dataclass(slots=True)
class FakeBmc:
    """One BMC.

    Attributes:
        tree: resources by path.
        signers: the device behind each root of trust, by its id.
        faults: what goes wrong at a path; a path ending in ``*`` stands for all below.
        asked: methods and paths so far.
        at_once: answers a measurement at once instead of by a task.
    """

    tree: Tree
    signers: Mapping[str, GpuMaker]
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    at_once: bool = False
    tasks: dict[str, tuple[str, bytes, int]] = field(default_factory=dict)
    done: dict[str, bytes] = field(default_factory=dict)

    def fault_at(self, path: str) -> Fault | None:
        """Return what goes wrong there."""
        for place, fault in self.faults.items():
            if path == place or (place.endswith("*") and path.startswith(place[:-1])):
                return fault
        return None

    def sign(self, component: str, nonce: bytes) -> dict[str, str]:
        """Return the result of a measurement."""
        return {
            "HashingAlgorithm": "TPM_ALG_SHA_384",
            "SignedMeasurements": b64encode(self.signers[component].report(nonce)).decode(),
            "SigningAlgorithm": "TPM_ALG_ECDSA_ECC_NIST_P384",
            "Version": "1.1.0",
        }


def made_tree(signers: Mapping[str, GpuMaker], *, slot: int = 24, tray: int = 14) -> Tree:
    """Return a tree of the shape of a GB200's with these roots of trust."""
    tree: Tree = {
        f"{CHASSIS}/CBC_0": {
            "@odata.id": f"{CHASSIS}/CBC_0",
            "Oem": {"Nvidia": {"ChassisPhysicalSlotNumber": slot, "ComputeTrayIndex": tray}},
        }
    }
    for name, maker in signers.items():
        board = f"{CHASSIS}/{name.replace('IRoT_', '')}"
        tree[f"{INTEGRITY}/{name}"] = component(name)
        tree[f"{CHASSIS}/{name}"] = {
            "@odata.id": f"{CHASSIS}/{name}",
            "Id": name,
            "Links": {"ContainedBy": {"@odata.id": board}},
            "SerialNumber": f"0x{maker.pdi.upper()}",
        }
        tree[board] = {"@odata.id": board, "SerialNumber": f"165{maker.number:010}"}
        tree[f"{CHASSIS}/{name}/Certificates/CertChain"] = {
            "CertificateString": maker.chain().decode()
        }
    return _with_collections(tree)


def component(name: str) -> dict[str, Any]:
    """Return the `ComponentIntegrity` resource of a root of trust."""
    own = f"{INTEGRITY}/{name}"
    chain = {"@odata.id": f"{CHASSIS}/{name}/Certificates/CertChain"}
    return {
        "@odata.id": own,
        "Actions": {f"#{ACTION}": {"target": f"{own}/Actions/{ACTION}"}},
        "ComponentIntegrityEnabled": True,
        "ComponentIntegrityType": "SPDM",
        "ComponentIntegrityTypeVersion": "1.1.0",
        "Id": name,
        "SPDM": {
            "IdentityAuthentication": {"ResponderAuthentication": {"ComponentCertificate": chain}}
        },
        "TargetComponentURI": f"{CHASSIS}/{name}",
    }


def recorded_tree(folder: Path) -> Tree:
    """Return the resources recorded from a real GB200, by their own paths.

    The recording has `ComponentIntegrity` for one of its four GPUs; the others are alike.
    """
    tree: Tree = {}
    for path in sorted(folder.glob("*.json")):
        resource = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        tree[resource["@odata.id"]] = resource
    for name in {path.name.split(".")[0] for path in folder.glob("*.Chassis.json")}:
        tree.setdefault(f"{INTEGRITY}/{name}", component(name))
    return _with_collections(tree)


def _with_collections(tree: Tree) -> Tree:
    for base in (INTEGRITY, CHASSIS):
        members = [path for path in sorted(tree) if path.rpartition("/")[0] == base]
        tree[base] = {"@odata.id": base, "Members": [{"@odata.id": path} for path in members]}
    return tree


@contextmanager
def served_bmc(bmc: FakeBmc, tls: ssl.SSLContext) -> Iterator[str]:
    """Serve `bmc` on loopback; yield its address. Answers that hang end with the block."""

    class Handler(_Handler):
        port = bmc
        over = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        Handler.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    port: FakeBmc
    over: threading.Event
    timeout = 30
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._work()

    def do_POST(self) -> None:
        self._work()

    def _work(self) -> None:
        self.port.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != expected:
            self._answer(401, {"error": "who?"})
            return
        fault = self.port.fault_at(self.path)
        if fault is None or not self._fail(fault):
            self._answer_well(body, fault)

    def _answer_well(self, body: bytes, fault: Fault | None) -> None:
        if self.path.endswith(f"/Actions/{ACTION}") and self.command == "POST":
            self._measure(msgspec.json.decode(body, type=dict[str, Any]), fault)
        elif self.path in self.port.tasks:
            self._task()
        elif self.path.removesuffix("/data") in self.port.done:
            name = self.path.split("/")[4]
            self._answer(200, self.port.sign(name, self.port.done[self.path[: -len("/data")]]))
        elif self.path in self.port.tree:
            self._answer(200, self.port.tree[self.path])
        else:
            self._answer(404, {"error": "no such resource"})

    def _measure(self, asked: Mapping[str, Any], fault: Fault | None) -> None:
        name, nonce = self.path.split("/")[4], bytes.fromhex(asked["Nonce"])
        if self.port.at_once:
            self._answer(200, self.port.sign(name, nonce))
            return
        task = f"{TASKS}/{len(self.port.tasks)}"
        if fault in {Fault.TASK_FAILS, Fault.TASK_STAYS}:
            self.port.tree[task] = {
                "@odata.id": task,
                "TaskState": "Exception" if fault is Fault.TASK_FAILS else "Running",
            }
            self._answer(202, self.port.tree[task])
            return
        self.port.tasks[task] = (self.path, nonce, 0)
        away = "//elsewhere.example/tasks/1" if fault is Fault.LEADS_AWAY else task
        self._answer(202, {"@odata.id": away, "TaskState": "Running"})

    def _task(self) -> None:
        action, nonce, looks = self.port.tasks[self.path]
        if looks < _LOOKS:
            self.port.tasks[self.path] = (action, nonce, looks + 1)
            self._answer(200, {"@odata.id": self.path, "TaskState": "Running"})
            return
        self.port.done[action] = nonce
        headers = [f"Location: {action}/data"]
        state = {"TaskState": "Completed", "Payload": {"HttpHeaders": headers}}
        self._answer(200, {"@odata.id": self.path, **state})

    def _fail(self, fault: Fault) -> bool:
        """Answer wrongly; return whether that was all."""
        if fault in _STATUSES:
            self._answer(_STATUSES[fault], {})
        elif fault in _BODIES:
            self._raw(200, _BODIES[fault])
        elif fault in _HEADS:
            status, lines = _HEADS[fault]
            self._head(status, lines)
            self.wfile.write(b'{"Members": []}')
        elif fault in {Fault.HANGS, Fault.DRIPS, Fault.ENDLESS}:
            self._never_end(fault)
        else:
            return False
        self.close_connection = fault in _ENDS_CONNECTION
        return True

    def _never_end(self, fault: Fault) -> None:
        if fault is Fault.ENDLESS:
            self._head(200, "Transfer-Encoding: chunked")
        piece = {Fault.HANGS: b"", Fault.DRIPS: b"x", Fault.ENDLESS: _CHUNK}[fault]
        if fault is Fault.DRIPS:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        with suppress(OSError):
            while not self.over.wait(0 if fault is Fault.ENDLESS else 0.05):
                self.wfile.write(piece)

    def _answer(self, status: int, resource: Mapping[str, Any]) -> None:
        self._raw(status, msgspec.json.encode(resource))

    def _raw(self, status: int, body: bytes) -> None:
        lines = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        self._head(status, lines, body)

    def _head(self, status: int, lines: str, body: bytes = b"") -> None:
        self.wfile.write(f"HTTP/1.1 {status} -\r\n{lines}\r\n\r\n".encode() + body)

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 - their signature
        """Tests read answers, not logs."""


def fsp_chips(count: int, *, first: int = 0) -> dict[str, GpuMaker]:
    """Return so many roots of trust as a BMC shows them, by their ids."""
    return {
        f"HGX_IRoT_GPU_{index}": GpuMaker(first + index, Shape.BLACKWELL_FSP)
        for index in range(count)
    }
