"""The collector as a process: how it starts, ends, is killed, and runs out of disk."""

import resource
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import msgspec
import pytest

from chipledger_book.events import LedgerRecord
from chipledger_book.movements import Installed
from chipledger_evidence.answers import Stored
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.token import Token
from chipledger_testing.certificates import certificate_for
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of, simulated

PATIENCE_S = 20
NO_ROOM_BYTES = 4096
SENDERS = 4


def until(what: Callable[[], bool]) -> None:
    """Return once `what` is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.02)


def new_host(collector: CollectorProcess, seed: str) -> SimulatedHost:
    """Return an enrolled host that has sent its first full report."""
    host = simulated(seed, chips=1)
    host.now_s = int(time.time())
    collector.enrol(host, collector.make_code(seed))
    collector.report(host.full(collector.challenge(host).nonce))
    return host


def beat(host: SimulatedHost, nonce: str) -> Token:
    """Return the next heartbeat of a host."""
    return host.heartbeat(nonce)


def swap(host: SimulatedHost, nonce: str) -> Token:
    """Return a full report of a host, with a chip in place of the last that nobody has seen."""
    host.inventory = inventory_of(chip_of(host.seed, 1 + host.seq))
    return host.full(nonce)


@dataclass(slots=True)
class Sender:
    """A host that sends one report after the other until the collector is gone.

    Attributes:
        host: the host.
        collector: a client of its own.
        acknowledged: tokens that were answered as stored.
        pending: the token whose answer never came.
        make: makes the next report.
    """

    host: SimulatedHost
    collector: CollectorProcess
    acknowledged: list[str] = field(default_factory=list)
    pending: Token | None = None
    make: Callable[[SimulatedHost, str], Token] = beat

    def run(self) -> None:
        """Send until it fails; first what was left over."""
        try:
            epoch = self.collector.challenge(self.host).nonce
            while True:
                token = self.pending or self.make(self.host, epoch)
                self.pending = token
                answer = self.collector.report(token).report()
                (result,) = answer.results
                assert isinstance(result, Stored), result
                self.acknowledged.append(token.identity)
                self.pending, epoch = None, answer.epoch
        except (OSError, HTTPException):
            self.collector.close()


def check_the_events(collector: CollectorProcess, senders: list[Sender]) -> None:
    """Every report that was kept installed its chip, once, with one place in the log."""
    (kept,) = collector.rows("SELECT count(*) FROM tokens")
    until(lambda: collector.rows("SELECT token_pos FROM sequencer") == [kept])
    own = collector.rows(
        "SELECT r.record FROM attested_events e JOIN records r ON r.pos = e.pos"
        " AND r.subject = e.id WHERE e.type = 'installed'"
    )
    events = [msgspec.json.decode(record, type=LedgerRecord).event for (record,) in own]
    tokens = [event.token for event in events if isinstance(event, Installed)]
    assert (len(tokens), len(set(tokens))) == (kept[0], kept[0])
    assert {token for sender in senders for token in sender.acknowledged} <= set(tokens)
    assert collector.rows("SELECT count(*) FROM places") == [kept]
    (records,) = collector.rows("SELECT count(*) FROM records")
    until(lambda: logged(collector, "record") == records)
    query = "SELECT count(*) FROM records WHERE type = 'event' AND principal = 'collector'"
    assert collector.rows(query) == [kept]


def logged(collector: CollectorProcess, source: str) -> tuple[int, ...]:
    """Return how many rows of a source have a place in the log."""
    query = "SELECT sum(count) FROM log_runs WHERE source = ?"
    (count,) = collector.rows(query, source)
    return count


def check_the_log(collector: CollectorProcess, senders: list[Sender]) -> None:
    """Everything acknowledged is kept once, in an unbroken chain, with one place in the log."""
    for sender in senders:
        for identity in sender.acknowledged:
            rows = collector.rows(
                "SELECT count(*) FROM tokens WHERE id = ?", b64url_decode(identity)
            )
            assert rows == [(1,)]
    (kept,) = collector.rows("SELECT count(*), count(DISTINCT id), max(pos) FROM tokens")
    assert kept[0] == kept[1] == kept[2]
    until(lambda: collector.rows("SELECT token_pos FROM sequencer") == [(kept[0],)])
    (logged,) = collector.rows("SELECT sum(count) FROM log_runs WHERE source = 'token'")
    assert logged == (kept[0],)
    assert collector.rows("SELECT count(*) FROM hosts WHERE missing IS NOT NULL") == [(0,)]
    assert collector.rows("SELECT type FROM findings") == []


def load(collector: CollectorProcess, senders: list[Sender]) -> list[threading.Thread]:
    """Let every sender send in a thread of its own."""
    for sender in senders:
        sender.collector.port = collector.port
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    return threads


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """At any point: nothing lost, nothing counted twice, and the chain goes on."""
    with running(tmp_path / "c") as collector:
        senders = [
            Sender(new_host(collector, f"s{number}"), CollectorProcess(collector.folder))
            for number in range(SENDERS)
        ]
        for moment_s in (0.31, 0.53, 0.17, 0.4):
            before = sum(len(sender.acknowledged) for sender in senders)
            threads = load(collector, senders)
            time.sleep(moment_s)
            assert collector.stop(signal.SIGKILL) == -signal.SIGKILL
            for thread in threads:
                thread.join()
            collector.start()
            assert sum(len(sender.acknowledged) for sender in senders) > before
            check_the_log(collector, senders)


def test_kill_9_books_no_chip_twice_and_leaves_none_out(tmp_path: Path) -> None:
    """What a report shows and what the ledger says of it are kept together or not at all."""
    with running(tmp_path / "c") as collector:
        senders = [
            Sender(new_host(collector, f"s{number}"), CollectorProcess(collector.folder), make=swap)
            for number in range(SENDERS)
        ]
        for moment_s in (0.29, 0.47):
            threads = load(collector, senders)
            time.sleep(moment_s)
            assert collector.stop(signal.SIGKILL) == -signal.SIGKILL
            for thread in threads:
                thread.join()
            collector.start()
            check_the_events(collector, senders)


def test_a_stop_under_load_answers_what_it_accepted(tmp_path: Path) -> None:
    """SIGTERM ends with status 0; what is kept is applied before the end."""
    with running(tmp_path / "c") as collector:
        senders = [
            Sender(new_host(collector, f"s{number}"), CollectorProcess(collector.folder))
            for number in range(SENDERS)
        ]
        threads = load(collector, senders)
        time.sleep(0.4)
        assert collector.stop() == 0
        for thread in threads:
            thread.join()
        (kept,) = collector.rows("SELECT count(*) FROM tokens")
        assert collector.rows("SELECT token_pos FROM sequencer") == [kept]
        acknowledged = sum(len(sender.acknowledged) for sender in senders)
        assert kept[0] == acknowledged + SENDERS  # and the first full reports
        collector.start()
        check_the_log(collector, senders)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """503 with a time to come back, everything kept stays readable, and work goes on after."""
    with running(tmp_path / "c") as collector:
        host = new_host(collector, "full")
        epoch = collector.challenge(host).nonce
        process = collector.process
        assert process is not None
        _soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (NO_ROOM_BYTES, hard))
        token = host.heartbeat(epoch)
        for _ in range(2):
            reply = collector.report(token)
            assert (reply.status, reply.problem().code) == (503, "disk-full")
            assert int(reply.headers["retry-after"]) >= 1
        health = collector.get("/v1/health")
        assert health.status == 503
        assert msgspec.json.decode(health.body)["fault"] == "disk-full"
        assert collector.challenge(host).head.seq == 1
        assert collector.rows("SELECT count(*) FROM tokens") == [(1,)]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        (result,) = collector.report(token).report().results
        assert isinstance(result, Stored)
        until(lambda: collector.get("/v1/health").status == 200)
        assert collector.rows("SELECT max(seq) FROM tokens") == [(2,)]


def failure(collector: CollectorProcess) -> str:
    """Run the collector, which must refuse to, and return what it says."""
    done = subprocess.run(
        collector.command_line("run"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_an_embedded_database_has_one_collector(tmp_path: Path) -> None:
    """The second one is refused, and the first goes on."""
    with running(tmp_path / "c") as collector:
        assert "database-in-use" in failure(collector)
        assert collector.get("/v1/health").status == 200


def test_a_collector_that_was_never_initialised_is_not_served(tmp_path: Path) -> None:
    """Nothing is created as a side effect of starting."""
    collector = CollectorProcess(tmp_path)
    collector.configure()
    assert "not-initialised" in failure(collector)
    assert not collector.database.exists()


def test_plain_http_stays_on_loopback(tmp_path: Path) -> None:
    """Any other address needs a certificate."""
    collector = CollectorProcess(tmp_path, address="0.0.0.0")  # noqa: S104 - it is refused
    collector.initialise()
    assert "plain-http-refused" in failure(collector)


def test_an_unknown_key_stops_the_start(tmp_path: Path) -> None:
    """A misspelt limit never silently is its default."""
    collector = CollectorProcess(tmp_path, "[limits]\nquue = 1\n")
    collector.configure()
    said = failure(collector)
    assert "unknown-configuration-key" in said
    assert "did you mean limits.queue?" in said


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    """A second init leaves database and key as they are."""
    collector = CollectorProcess(tmp_path)
    collector.initialise()
    key = (tmp_path / "nonce.key").read_bytes()
    assert (tmp_path / "nonce.key").stat().st_mode & 0o777 == 0o600
    assert collector.database.stat().st_mode & 0o777 == 0o600
    with pytest.raises(subprocess.CalledProcessError):
        collector.command("init")
    assert (tmp_path / "nonce.key").read_bytes() == key


def refused(collector: CollectorProcess, *arguments: str) -> str:
    """Run a command that must be refused, without a traceback, and return what it says."""
    done = subprocess.run(
        collector.command_line(*arguments), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    return done.stderr


def test_an_init_that_fails_can_be_made_again(tmp_path: Path) -> None:
    """No collector without an administrator's token, and none that is neither there nor not."""
    collector = CollectorProcess(tmp_path / "c")
    collector.configure()
    taken = tmp_path / "token"
    taken.write_text("mine", "utf-8")
    before = sorted(collector.folder.iterdir())
    assert "already-initialised" in refused(collector, "init", "--token-file", str(taken))
    nowhere = str(tmp_path / "nowhere" / "token")
    assert "system-refused" in refused(collector, "init", "--token-file", nowhere)
    assert sorted(collector.folder.iterdir()) == before
    assert taken.read_text("utf-8") == "mine"
    (collector.folder / "collector.sqlite.init").write_bytes(b"cut short")  # by kill -9
    token = tmp_path / "good"
    collector.command("init", "--token-file", str(token))
    assert token.stat().st_mode & 0o777 == 0o600
    assert "administrator" in collector.command("principal", "list")
    assert {file.name for file in collector.folder.iterdir()} == {
        "server.toml",
        "collector.sqlite",
        "nonce.key",
        "result.key",
    }


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    """One line with a code, for every command."""
    collector = CollectorProcess(tmp_path)
    collector.initialise()
    collector.database.write_bytes(b"this was a database once" * 100)
    for command in ("run", "reconcile"):
        assert "system-refused" in refused(collector, command)


def test_tls_is_1_3_with_the_configured_certificate(tmp_path: Path) -> None:
    """An older version is refused in the handshake."""
    made = certificate_for(tmp_path, "collector")
    settings = f'tls_certificate_file = "{made.certificate}"\ntls_key_file = "{made.key}"\n'
    with running(tmp_path / "c", settings) as collector:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # agents pin the certificate itself
        connection = HTTPSConnection("127.0.0.1", collector.port, context=context)
        connection.connect()
        tls = connection.sock
        assert isinstance(tls, ssl.SSLSocket)
        assert tls.version() == "TLSv1.3"
        assert ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"") in (
            made.certificate.read_text("utf-8")
        )
        connection.request("GET", "/v1/health")
        assert connection.getresponse().status == 200
        connection.close()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        old = HTTPSConnection("127.0.0.1", collector.port, context=context)
        with pytest.raises(ssl.SSLError):
            old.request("GET", "/v1/health")
