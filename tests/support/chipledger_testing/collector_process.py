"""The real collector as a child process, with a database of its own, and a plain client."""

import hashlib
import http.client
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert

from chipledger_evidence.answers import Challenge, ChallengeRequest, Problem, ReportAnswer
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.framing import MEDIA_TYPE, encode_body
from chipledger_evidence.token import Token
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing, open_engine
from chipledger_testing.hosts import SimulatedHost

SITE = "ams-1"
START_S = 30
FAR_MS = 2**41


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def report(self) -> ReportAnswer:
        """Return the body as the answer to a report."""
        return msgspec.json.decode(self.body, type=ReportAnswer)

    def problem(self) -> Problem:
        """Return the body as a problem document."""
        return msgspec.json.decode(self.body, type=Problem)


def code_text(seed: str) -> str:
    """Return the enrolment code of a seed."""
    digest = hashlib.sha256(f"code/{seed}".encode()).digest()
    return "ce-" + "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest)


@dataclass(slots=True)
class CollectorProcess:
    """One collector service: a folder, and at most one process at a time.

    Attributes:
        folder: where configuration, database and key are.
        settings: TOML after the keys of `[listen]`.
        address: address to listen on.
        process: the process, while there is one.
        port: port it listens on.
    """

    folder: Path
    settings: str = ""
    address: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "collector.sqlite"

    def configure(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "server.toml").write_text(
            f'[database]\npath = "{self.database}"\n'
            f'[secrets]\nnonce_key_file = "{self.folder / "nonce.key"}"\n'
            f'[listen]\nport = 0\naddress = "{self.address}"\n'
            f'address_file = "{self.folder / "address"}"\n{self.settings}',
            "utf-8",
        )

    def initialise(self) -> None:
        """Make configuration, database, key, and a site."""
        self.configure()
        self.command("init")
        self.declare_site(SITE)

    def declare_site(self, site: str, *, test_site: bool = False) -> None:
        """Put a site into the table of sites, as the book does for a declared one."""
        self._insert(
            schema.sites,
            {"id": site, "name": site, "country": "NL", "test_site": test_site, "event": "-"},
        )

    def make_code(
        self,
        seed: str,
        *,
        site: str = SITE,
        uses: int = 1,
        expires_ms: int = FAR_MS,
        serials: Sequence[str] | None = None,
    ) -> str:
        """Return a new enrolment code."""
        text = code_text(seed)
        self._insert(
            schema.enrolment_codes,
            {
                "code_hash": hashlib.sha256(text.encode()).digest(),
                "site": site,
                "uses_left": uses,
                "expires_ms": expires_ms,
                "serials": None if serials is None else encode_canonical(list(serials)),
                "created_ms": 0,
                "principal": "test",
            },
        )
        return text

    def _insert(self, table: object, row: Mapping[str, object]) -> None:
        engine = for_writing(open_engine(self.database))
        with engine.begin() as connection:
            connection.execute(insert(table).values(**row))  # type: ignore[arg-type]
        engine.dispose()

    def start(self) -> None:
        """Start the process and return once it answers."""
        address = self.folder / "address"
        address.unlink(missing_ok=True)
        log = self.folder / "collector.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command_line("run"), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        deadline = time.monotonic() + START_S
        while not address.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace")[-2000:]
                raise AssertionError(f"it did not start: {self.process.poll()}\n{said}")
            time.sleep(0.02)
        self.port = int(address.read_text("utf-8").strip().rsplit(":", 1)[1])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process and return its exit status."""
        self.close()
        if self.process is None:
            return 0
        self.process.send_signal(how)
        status = self.process.wait(timeout=START_S)
        self.process = None
        return status

    def close(self) -> None:
        """Close the client's connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(
        self, path: str, body: bytes, *, kind: str = MEDIA_TYPE, encoding: str | None = None
    ) -> Reply:
        """Post `body` and return the reply."""
        headers = {"Content-Type": kind}
        if encoding is not None:
            headers["Content-Encoding"] = encoding
        return self.request("POST", path, body, headers)

    def get(self, path: str) -> Reply:
        """Get `path`."""
        return self.request("GET", path, None, {})

    def request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        """Make one request on the kept connection."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            self._connection.request(method, path, body, dict(headers))
            response = self._connection.getresponse()
            reply = Reply(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                body=response.read(),
            )
        except BaseException:
            self.close()
            raise
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def enrol(self, host: SimulatedHost, code: str) -> Enrolment:
        """Enrol `host` and tell it who it is."""
        reply = self.post("/v1/enrolments", host.enrolment(code), kind="application/jwt")
        if reply.status != http.HTTPStatus.CREATED:
            raise AssertionError(reply.body)
        enrolment = msgspec.json.decode(reply.body, type=Enrolment)
        host.host, host.site = enrolment.host, enrolment.site
        return enrolment

    def challenge(self, host: SimulatedHost) -> Challenge:
        """Ask for a challenge for `host`."""
        request = ChallengeRequest(host=host.host, kid=host.signer.public.kid)
        reply = self.post("/v1/challenges", encode_canonical(request), kind="application/json")
        if reply.status != http.HTTPStatus.OK:
            raise AssertionError(reply.body)
        return msgspec.json.decode(reply.body, type=Challenge)

    def report(self, *tokens: Token, blobs: Sequence[bytes] = ()) -> Reply:
        """Send tokens and blobs in one body."""
        return self.post("/v1/reports", encode_body(tokens, blobs))

    def command(self, *arguments: str) -> str:
        """Run a command of an administrator on the same database and return its output."""
        done = subprocess.run(
            self.command_line(*arguments), check=True, capture_output=True, text=True
        )
        return done.stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, as committed."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query, values).fetchall()

    def command_line(self, *arguments: str) -> list[str]:
        """Return the command line of `chipledger-server` with this configuration."""
        config = str(self.folder / "server.toml")
        return [sys.executable, "-m", "chipledger_server", "--config", config, *arguments]


@contextmanager
def running(folder: Path, settings: str = "") -> Iterator[CollectorProcess]:
    """Run a new collector while the block runs."""
    collector = CollectorProcess(folder, settings)
    collector.initialise()
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()
