"""The agent's client against real sockets: the pin, the proxy, bounds in bytes and time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.adapters.collector_http import MAX_ANSWER_BYTES, Endpoint, HttpCollector
from chipledger_agent.adapters.pin import load_pin, proxy_url
from chipledger_agent.domain.failures import (
    AgentCode,
    AgentError,
    CollectorRefused,
    CollectorUnavailable,
)
from chipledger_evidence.answers import ChallengeRequest
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.certificates import Certificate, certificate_for
from chipledger_testing.claims import HOST
from chipledger_testing.collector import SimulatedCollector, Trouble
from chipledger_testing.collector_http import served
from chipledger_testing.wire_taps import relay, saying

REQUEST = ChallengeRequest(host=HOST, kid=sha256_b64(b"kid"))


def client(url: str, *, pin: Path | None = None, proxy: str = "") -> HttpCollector:
    """Return a client with short limits."""
    endpoint = Endpoint(
        url=url,
        pin=load_pin(pin) if pin else None,
        proxy=proxy,
        connect_timeout_s=2,
        answer_timeout_s=1,
    )
    return HttpCollector(endpoint, clock=SystemClock())


@pytest.fixture
def collector() -> SimulatedCollector:
    """Return a collector in memory."""
    return SimulatedCollector(SystemClock())


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Return the collector's certificate, which is no authority."""
    return certificate_for(tmp_path, "collector")


@pytest.fixture
def https(collector: SimulatedCollector, certificate: Certificate) -> Iterator[str]:
    """Serve the collector with its certificate."""
    with served(collector, tls=certificate.server_context()) as url:
        yield url


def pin_file(tmp_path: Path, text: str) -> Path:
    """Return a pin file with `text`."""
    path = tmp_path / "pin"
    path.write_text(text)
    return path


def test_the_pinned_certificate_is_enough(https: str, certificate: Certificate) -> None:
    """Without any authority, and although it is none itself."""
    assert client(https, pin=certificate.certificate).health().working


@pytest.mark.parametrize("form", ["sha256:{}\n", "{}\n", "SHA256 line\nsha256:{}"])
def test_a_digest_of_certificate_or_key_is_enough(
    https: str, certificate: Certificate, tmp_path: Path, form: str
) -> None:
    """As people copy it from the other side."""
    for digest in (certificate.digest(), certificate.key_digest().upper()):
        pin = pin_file(tmp_path, form.format(digest))
        assert client(https, pin=pin).health().working


def test_another_certificate_gets_no_byte_of_ours(
    https: str, collector: SimulatedCollector, tmp_path: Path
) -> None:
    """Whether it was pinned as such or by digest."""
    other = certificate_for(tmp_path, "other")
    for pin in (other.certificate, pin_file(tmp_path, f"sha256:{other.digest()}")):
        with pytest.raises(CollectorUnavailable) as caught:
            client(https, pin=pin).health()
        assert caught.value.code == AgentCode.COLLECTOR_UNTRUSTED
    assert collector.requests["health"] == 0


def test_a_pinned_certificate_for_another_address_is_refused(
    collector: SimulatedCollector, tmp_path: Path
) -> None:
    """A certificate, where it is pinned as such, also says where it may be used."""
    elsewhere = certificate_for(tmp_path, "elsewhere", address="127.0.0.2")
    with served(collector, tls=elsewhere.server_context()) as url:
        with pytest.raises(CollectorUnavailable) as caught:
            client(url, pin=elsewhere.certificate).health()
        assert caught.value.code == AgentCode.COLLECTOR_UNTRUSTED


@pytest.mark.parametrize("text", ["", "sha256:abc", "-----BEGIN CERTIFICATE-----\nAA\n"])
def test_a_pin_file_that_pins_nothing_is_refused(tmp_path: Path, text: str) -> None:
    """Never taken for "anything goes"."""
    with pytest.raises(AgentError) as caught:
        load_pin(pin_file(tmp_path, text))

    assert caught.value.code == AgentCode.PIN_UNREADABLE


def test_a_damaged_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    """Not at the first report."""
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

    with pytest.raises(AgentError) as caught:
        load_pin(pin_file(tmp_path, text))

    assert caught.value.code == AgentCode.PIN_UNREADABLE


def test_plain_http_beyond_loopback_is_refused() -> None:
    """Also when the configuration was got around."""
    with pytest.raises(AgentError):
        client("http://192.0.2.1:80")


def test_https_without_a_pin_reaches_nobody(https: str) -> None:
    """There is no fallback to the machine's authorities."""
    with pytest.raises(CollectorUnavailable):
        client(https).health()


def test_a_configured_proxy_sees_a_tunnel_only(
    https: str, certificate: Certificate, tmp_path: Path
) -> None:
    """TLS goes through to the pinned collector; the proxy learns address and its own password."""
    secret = tmp_path / "proxy"
    secret.write_text("user:pass word\n")
    with relay(int(https.rpartition(":")[2]), connect=True) as tap:
        proxy = proxy_url(f"http://127.0.0.1:{tap.port}", secret)
        assert client(https, pin=certificate.certificate, proxy=proxy).health().working

    (head,) = tap.heads
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in head
    assert b"/v1/health" not in tap.sent


def test_an_absent_collector_is_a_state_not_a_crash() -> None:
    """Nothing is lost, the same is tried later."""
    with pytest.raises(CollectorUnavailable) as caught:
        client("http://127.0.0.1:1").challenge(REQUEST)

    assert caught.value.code == AgentCode.COLLECTOR_UNREACHABLE


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [("17", 17, 17), ("Fri, 31 Dec 2100 23:59:59 GMT", 10**9, 10**10), ("soon", None, None)],
)
def test_retry_after_is_read_in_both_forms(header: str, low: int | None, high: int | None) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3); anything else is as if it were absent."""
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
    with (
        saying(head.encode()) as port,
        pytest.raises(CollectorUnavailable) as caught,
    ):
        client(f"http://127.0.0.1:{port}").challenge(REQUEST)

    asked = caught.value.retry_after_s
    assert asked == low if low is None or high is None or asked is None else low <= asked <= high


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
        b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"expires": 1.0}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b" " * (MAX_ANSWER_BYTES + 1),
    ],
    ids=["no-json", "redirect", "no-problem-document", "not-canonical", "too-long"],
)
def test_an_answer_that_no_collector_gives_changes_nothing(answer: bytes) -> None:
    """Another program at the address, or one in between: try later, and say so."""
    with saying(answer) as port, pytest.raises(CollectorUnavailable) as caught:
        client(f"http://127.0.0.1:{port}").challenge(REQUEST)

    assert caught.value.code == AgentCode.COLLECTOR_CONFUSED


@pytest.mark.parametrize("body", [b"", b'{"expires":'])
def test_a_connection_that_breaks_inside_an_answer_is_tried_later(body: bytes) -> None:
    """A reset after the head, or in the middle of the body, is the network's fault."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
    with saying(head + body, breaking=True) as port, pytest.raises(CollectorUnavailable) as caught:
        client(f"http://127.0.0.1:{port}").challenge(REQUEST)

    assert caught.value.code == AgentCode.COLLECTOR_UNREACHABLE


def test_an_answer_that_never_ends_is_cut_off_in_time() -> None:
    """A byte now and then does not hold the agent."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
    with saying(head, slowly=True) as port, pytest.raises(CollectorUnavailable) as caught:
        client(f"http://127.0.0.1:{port}").challenge(REQUEST)

    assert caught.value.code == AgentCode.COLLECTOR_UNREACHABLE


def test_problem_documents_keep_their_code(collector: SimulatedCollector) -> None:
    """The collector's code and detail reach the operator."""
    with served(collector) as url, pytest.raises(CollectorRefused) as caught:
        client(url).challenge(REQUEST)

    assert caught.value.code == "unknown-key"


def test_a_busy_collector_is_tried_later(collector: SimulatedCollector) -> None:
    """503 with its code and its Retry-After."""
    collector.trouble = [Trouble(code="disk-full", retry_after_s=30)]
    with served(collector) as url, pytest.raises(CollectorUnavailable) as caught:
        client(url).challenge(REQUEST)

    assert caught.value.code == "disk-full"
    assert caught.value.retry_after_s == 30
