"""What a stranger may send at most, and how long it may take."""

import socket
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from chipledger_evidence.claims import EvidenceRef
from chipledger_evidence.framing import MAX_BODY_BYTES, MEDIA_TYPE
from chipledger_evidence.ids import NO_PREVIOUS, sha256_b64
from chipledger_evidence.token import Token
from chipledger_server.domain.codes import ServerError
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.collector_process import CollectorProcess, code_text, running
from chipledger_testing.hosts import chip_of, inventory_of, simulated


def test_an_oversize_body_is_refused_before_it_is_read(collector: CollectorProcess) -> None:
    """By its announced length, and by what comes when none is announced."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as sock:
        sock.sendall(
            b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: "
            + MEDIA_TYPE.encode()
            + b"\r\nContent-Length: 999999999\r\n\r\n"
        )
        assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as sock:
        sock.sendall(
            b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: "
            + MEDIA_TYPE.encode()
            + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = b""
        try:
            for _ in range(MAX_BODY_BYTES // 0x10000 + 8):
                sock.sendall(chunk)
        except OSError:
            pass  # it does not wait for the rest
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_gzip_bomb_is_refused_at_the_bound(collector: CollectorProcess) -> None:
    """128 MiB in 128 KiB are never unpacked."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    bomb = b"".join(deflate.compress(block) for _ in range(1 << 7)) + deflate.flush()
    reply = collector.post("/v1/reports", bomb, encoding="gzip")
    assert (reply.status, reply.problem().code) == (413, "oversize")


def test_an_oversize_token_is_refused(collector: CollectorProcess) -> None:
    """A quarter of a megabyte is the bound of one payload."""
    body = b"CLR1" + struct.pack(">BI", 1, 2 + 4 + 262_145 + 64) + struct.pack(">HI", 0, 262_145)
    reply = collector.post("/v1/reports", body + bytes(262_145 + 64))
    assert (reply.status, reply.problem().code) == (413, "oversize")


def test_more_tokens_than_a_body_may_hold_are_refused(collector: CollectorProcess) -> None:
    """Sixty-four in one body."""
    tokens = [simulated("many").heartbeat(NO_PREVIOUS)] * 65
    assert collector.report(*tokens).status == 413


def test_a_slow_body_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Idle connections do not hold the collector."""
    folder = tmp_path_factory.mktemp("slow")
    settings = "[limits]\nbody_idle_s = 1\nbody_total_s = 2\n"
    with running(folder, settings) as collector:
        head = (
            b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: "
            + MEDIA_TYPE.encode()
            + b"\r\nContent-Length: 100\r\n\r\nCLR1"
        )
        with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as sock:
            sock.sendall(head)  # and nothing more
            assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as sock:
            sock.sendall(head)
            sock.settimeout(0.3)
            answer = b""
            for _ in range(40):  # a byte now and then is no progress
                try:
                    answer = sock.recv(4096)
                    break
                except TimeoutError:
                    sock.sendall(b"x")
            assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_slow_form_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody needs a token to send to the log-in page, so it waits no longer than other doors."""
    settings = "[limits]\nbody_idle_s = 1\nbody_total_s = 2\n"
    head = (
        b"POST /login HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ntok"
    )
    with (
        running(tmp_path_factory.mktemp("form"), settings) as collector,
        socket.create_connection(("127.0.0.1", collector.port), timeout=10) as sock,
    ):
        sock.sendall(head)  # and nothing more
        assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
        form = "application/x-www-form-urlencoded"
        assert collector.post("/login", b"x" * 100_000, kind=form).status == 413
        assert collector.post("/login", b"token=none", kind=form).status == 403


def hung_up(sock: socket.socket) -> bool:
    """Tell whether the other side ends the connection, without an answer, while we wait."""
    try:
        return sock.recv(4096) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_connection_that_asks_nothing_is_given_up(
    said: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Strangers who say nothing, or never end a request's head, do not hold every connection."""
    with (
        running(tmp_path_factory.mktemp("idle"), "[limits]\nbody_total_s = 1\n") as collector,
        socket.create_connection(("127.0.0.1", collector.port), timeout=10) as sock,
    ):
        sock.sendall(said)
        assert hung_up(sock)
        assert collector.get("/v1/health").status == 200


def test_a_head_without_end_is_given_up(collector: CollectorProcess) -> None:
    """Header after header takes no memory: at 64 KiB the connection ends."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as sock:
        sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n")
        try:
            for _ in range(1000):
                sock.sendall(b"X-More: " + b"y" * 4000 + b"\r\n")
        except ConnectionError:
            return
        pytest.fail("four megabytes of head were taken")


def test_a_stranger_does_not_keep_others_from_writing(inside: CollectorInside) -> None:
    """An enrolment without a code is refused while somebody else holds the write lock."""
    inside.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServerError, match="enrolment-code-unknown"):
        inside.enrolments().enrol(simulated("stranger").enrolment(code_text("none")))
    inside.connection.execute("ROLLBACK")


def test_inventories_that_never_come_again_take_bounded_memory(tmp_path: Path) -> None:
    """A host may change its inventory in every report: old ones are forgotten and asked for."""
    inside = CollectorInside(tmp_path, most_remembered=2)
    host = inside.enrol("a", chips=1)
    first = host.inventory
    for number in range(5):
        host.inventory = inventory_of(chip_of(f"other-{number}", 0))
        inside.report(inside.full(host))
    host.inventory = first
    inside.report(inside.full(host))
    assert inside.take(inside.heartbeat(host)).want == "evidence"
    host.inventory = inventory_of(chip_of("other-0", 0))
    assert inside.take(inside.heartbeat(host)).want == "full"
    inside.close()


def test_bytes_of_one_host_are_bounded(tmp_path: Path) -> None:
    """A host that floods with evidence is told to wait, and what it sends again is taken then."""
    inside = CollectorInside(tmp_path)
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host))
    blob = bytes(256 * 1024)
    ref = EvidenceRef(bytes=len(blob), digest=sha256_b64(blob), kind="flood")
    codes: list[str] = []
    token = inside.heartbeat(host, evidence=(ref,) * 64)
    while "rate-limited" not in codes and len(codes) < 10:
        (result,) = inside.take(token, blobs=(blob,)).results
        codes.append(getattr(result, "code", "stored"))
        if codes[-1] == "stored":
            token = inside.heartbeat(host, evidence=(ref,) * 64)
    assert set(codes) == {"stored", "rate-limited"}
    inside.clock.ms += 24 * 3_600_000
    assert getattr(inside.take(token, blobs=(blob,)).results[0], "code", None) is None
    inside.close()


def test_a_stranger_cannot_lay_refusals_on_a_host(tmp_path: Path) -> None:
    """Whoever knows a key's name can send it bad signatures; that says nothing of the host."""
    inside = CollectorInside(tmp_path)
    host = inside.enrol("a", chips=1)
    token = inside.full(host)
    forged = Token(header=token.header, payload=token.payload, signature=bytes(63) + b"\x01")
    (result,) = inside.take(forged).results
    assert getattr(result, "code", None) == "bad-signature"
    inside.report(token)
    with closing(sqlite3.connect(tmp_path / "collector.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM refusals").fetchone() == (0,)
    inside.close()
