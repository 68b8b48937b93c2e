"""Real processes on a stage: one collector, one agent a host, each with a folder of its own."""

import http.client
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from chipledger_book.events import Event, encode_event
from chipledger_testing.gpu_pki import PKI, Shape
from chipledger_testing.nvattest import write_nvattest
from chipledger_testing.nvml import Machine, write_machine

INTERVAL_S: Final = 10
SILENCE_S: Final = 30
START_S: Final = 60
CODE_USES: Final = 100

SERVER_CONFIG: Final = """\
[collector]
name = "chipledger-demo"
[database]
path = "{folder}/collector.sqlite"
[secrets]
nonce_key_file = "{folder}/nonce.key"
[listen]
port = {port}
address_file = "{folder}/address"
[policy]
interval_s = {interval}
full_interval_s = 86400
silence_intervals = 3
silence_min_s = {silence}
[evidence]
test_roots_file = "{folder}/test-roots"
[watch]
every_s = {watch}
"""

AGENT_CONFIG: Final = """\
state_dir = "{folder}/state"
[collector]
url = "{url}"
[evidence]
nvml = {nvml}
corelib = {corelib}
corelib_socket = "{folder}/evidence.sock"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a host's devices can be asked to sign.

    Attributes:
        nvml: through the driver, which answers where confidential computing is on.
        switches: numbers of the switches that sign through the evidence service.
        seen: numbers of the chips that those switches have on their ports.
    """

    nvml: bool = False
    switches: tuple[int, ...] = ()
    seen: tuple[int, ...] = ()


MUTE: Final = Signing()
"""Nobody is asked, as an agent is installed."""


class StageError(Exception):
    """The play cannot go on; the message says why and where to look."""


@dataclass(kw_only=True)
class Stage:
    """Everything that runs, and where its output goes.

    Attributes:
        folder: home of all files; may be thrown away afterwards.
        port: port of the collector; 0 lets the kernel choose.
        interval_s: seconds between two tokens of a host.
        silence_s: seconds after which a host is silent.
        watch_s: seconds between two rounds of looking for who is late.
        url: address of the collector, once it runs.
    """

    folder: Path
    port: int = 0
    interval_s: int = INTERVAL_S
    silence_s: int = SILENCE_S
    watch_s: int = 300
    url: str = ""
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _codes: dict[str, Path] = field(default_factory=dict)

    def server(self, *arguments: str, text: str | None = None) -> str:
        """Run one `chipledger-server` command and return what it printed."""
        config = str(self.folder / "server.toml")
        command = [sys.executable, "-m", "chipledger_server", "--config", config, *arguments]
        return self._finish(command, text=text)

    def agent(self, name: str, machine: Path | None, *arguments: str, text: str = "") -> str:
        """Run one `chipledger-agent` command of a host and return what it printed."""
        return self._finish(self._agent_command(name, machine, arguments), text=text)

    def start_collector(self) -> None:
        """Initialise and start the collector; return once it serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write(
            "server.toml",
            SERVER_CONFIG.format(
                folder=self.folder,
                port=self.port,
                interval=self.interval_s,
                silence=self.silence_s,
                watch=self.watch_s,
            ),
        )
        self.write("test-roots", "".join(f"{root.spki_sha256}\n" for root in PKI.pins.roots))
        self.server("init", "--token-file", str(self.folder / "administrator.token"))
        config = str(self.folder / "server.toml")
        self._start(
            "collector", [sys.executable, "-m", "chipledger_server", "--config", config, "run"]
        )
        address = self.folder / "address"
        self.wait("the collector", lambda: address.exists() and bool(address.read_text().strip()))
        self.url = address.read_text().strip()
        self.wait("the collector", self._healthy)

    def start_agent(self, name: str, machine: Path | None) -> int:
        """Start the agent daemon of a host and return its process id."""
        self._start(name, self._agent_command(name, machine, ["run"]))
        return self._running[name].pid

    def pid(self, name: str) -> int:
        """Return the process id of something that runs."""
        return self._running[name].pid

    def host_id(self, name: str) -> str:
        """Return the id that the collector gave to an enrolled host."""
        enrolment = json.loads((self.folder / name / "state" / "enrolment.json").read_text())
        return str(enrolment["host"])

    def start_evidence_service(self, name: str, signing: Signing) -> None:
        """Start a host's evidence service behind its socket, around a stand-in for nvattest."""
        home = self.folder / name
        program = write_nvattest(
            home, gpus=signing.seen, switches=signing.switches, shape=Shape.HOPPER
        )
        service = [sys.executable, "-m", "chipledger_agent.gpu_evidence.serve"]
        service += ["--program", str(program), "--user", pwd.getpwuid(os.geteuid()).pw_name]
        socket = home / "evidence.sock"
        activation = [sys.executable, "-m", "chipledger_testing.activation", str(socket), "--"]
        self._start(f"{name}-evidence", activation + service)
        self.wait("the evidence service", socket.exists)

    def write_agent_config(self, name: str, signing: Signing = MUTE) -> None:
        """Give a host its folder and configuration."""
        (self.folder / name).mkdir(exist_ok=True)
        text = AGENT_CONFIG.format(
            url=self.url,
            folder=self.folder / name,
            nvml=str(signing.nvml).lower(),
            corelib=str(bool(signing.switches)).lower(),
        )
        self.write(f"{name}/agent.toml", text)

    def get(self, path: str, token: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the collector's API answers to a reader."""
        status, body = self._get(path, {"Authorization": f"Bearer {token}"})
        if status != HTTPStatus.OK:
            raise StageError(f"GET {path} was answered {status}: {body.decode()[:500]}")
        return json.loads(body)

    def post(self, path: str, token: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Send the API what somebody says, as JSON or as bytes of it, and return its answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        status, answer = self._ask("POST", path, head, raw)
        if status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise StageError(f"POST {path} was answered {status}: {answer.decode()[:500]}")
        return json.loads(answer)

    def sign(self, *arguments: str) -> str:
        """Run one `chipledger-sign` command, as a party on a machine of its own."""
        return self._finish(
            [sys.executable, "-m", "chipledger_audit.sign_cli", *arguments], text=None
        )

    def wait(self, what: str, ready: Callable[[], bool], *, timeout_s: int = START_S) -> None:
        """Return once `ready` holds; every process must stay alive meanwhile.

        Raises:
            StageError: a process ended, or the time is up.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self._check_alive()
            if time.monotonic() > deadline:
                raise StageError(f"{what} is not ready after {timeout_s} s; see {self.folder}")
            time.sleep(0.2)

    def stop(self, name: str) -> None:
        """End one process, as a service manager would."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """End everything, the collector last."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for name in reversed(list(self._running)):
            self.stop(name)

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read."""
        path = self.folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def enter(self, name: str, event: Event) -> None:
        """Enter an event of the ledger."""
        self.server("event", "add", str(self.write(f"{name}.json", encode_event(event).decode())))

    def enrol(
        self, name: str, site: str, machine: Machine | None, *, signing: Signing = MUTE
    ) -> Path | None:
        """Enrol a host at a site: a simulated machine, or this very one with the shipped agent."""
        self.write_agent_config(name, signing)
        file = None
        if machine is not None:
            file = self.folder / name / "machine.json"
            write_machine(machine, file)
        if signing.switches:
            self.start_evidence_service(name, signing)
        self.agent(name, file, "enroll", "--code-file", str(self._code(site)))
        return file

    def _code(self, site: str) -> Path:
        """Return the file of a site's enrolment code."""
        if site not in self._codes:
            limits = ("--uses", str(CODE_USES), "--expires-in", "1h")
            made = self.server("code", "create", "--site", site, *limits)
            self._codes[site] = self.write(f"code-{site}", made.split()[-1] + "\n")
        return self._codes[site]

    def _agent_command(
        self, name: str, machine: Path | None, arguments: Sequence[str]
    ) -> list[str]:
        config = ["--config", str(self.folder / name / "agent.toml")]
        if machine is None:  # this very machine, with the shipped program
            return [sys.executable, "-m", "chipledger_agent", *config, *arguments]
        double = ["-m", "chipledger_testing.agent", "--machine", str(machine), "--"]
        return [sys.executable, *double, *config, *arguments]

    def _start(self, name: str, command: Sequence[str]) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )

    def _finish(self, command: Sequence[str], *, text: str | None) -> str:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env=_environment()
        )
        if done.returncode != 0:
            words = " ".join(command[2:])
            raise StageError(f"{words}\nended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def _check_alive(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                raise StageError(f"{name} ended with {process.returncode}:\n{tail}")

    def _healthy(self) -> bool:
        try:
            return self._get("/v1/health", {})[0] == HTTPStatus.OK
        except OSError:
            return False

    def _get(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return self._ask("GET", path, headers)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _environment() -> Mapping[str, str]:
    """Return this process's environment, and where the doubles are."""
    support = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": support, "PYTHONUNBUFFERED": "1"}
