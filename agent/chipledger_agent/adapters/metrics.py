"""Prometheus text on a unix socket or on loopback; off unless configured."""

import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client import generate_latest as render

from chipledger_agent.cycle import Outcome
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.ports import Clock

UNIX_PREFIX = "unix:"


class AgentMetrics:
    """Counts what cycles came to. docs/AGENT.md lists the names."""

    def __init__(self, *, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._cycles = self._counter("cycles", "Cycles finished, deliveries alone included")
        self._signed = self._counter("reports_signed", "Reports signed and spooled", "profile")
        self._stored = self._counter("reports_stored", "Reports the collector acknowledged")
        self._refused = self._counter("reports_refused", "Reports the collector refused", "code")
        self._skipped = self._counter("scans_skipped", "Scans not made or not kept", "reason")
        self._failures = self._counter("collector_failures", "Cycles that ended in failure", "code")
        self._waiting = self._gauge("reports_waiting", "Reports that wait for the collector")
        self._last = self._gauge("last_cycle_timestamp_seconds", "When the last cycle ended")
        self._contact = self._gauge(
            "last_contact_timestamp_seconds", "When the collector last acknowledged a report"
        )

    def observe(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self._cycles.inc()
        self._last.set(self._clock.now_s())
        self._waiting.set(outcome.waiting)
        for signed in outcome.signed:
            self._signed.labels("full" if signed.cause else "heartbeat").inc()
        for code in outcome.refused:
            self._refused.labels(code).inc()
        if outcome.stored:
            self._stored.inc(outcome.stored)
            self._contact.set(self._clock.now_s())
        if outcome.skipped:
            self._skipped.labels(outcome.skipped).inc()
        if outcome.failure:
            self._failures.labels(outcome.failure).inc()

    def text(self) -> bytes:
        """Return the exposition."""
        return render(self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"chipledger_agent_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"chipledger_agent_{name}", what, registry=self.registry)


class MetricsServer:
    """Answers ``GET /metrics`` from a thread of its own.

    Args:
        listen: ``unix:PATH`` or ``HOST:PORT``; the configuration allows loopback only.
        text: gives the exposition.
    """

    def __init__(self, listen: str, text: Callable[[], bytes]) -> None:
        class Handler(_Handler):
            exposition = staticmethod(text)

        try:
            self._server = _listen(listen, Handler)
        except OSError as error:
            raise AgentError(
                AgentCode.CONFIG_BAD_VALUE,
                f"metrics.listen {listen}: {error.strerror}",
                hint="does the folder exist, and may this user write there?",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, with the port that was given."""
        return str(self._server.server_address)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    exposition: Callable[[], bytes]
    timeout = 5

    def do_GET(self) -> None:
        if self.path != "/metrics":
            self.send_error(404)
            return
        body = self.exposition()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 - their signature
        """A scrape is no change of state: say nothing."""


class _UnixServer(socketserver.UnixStreamServer):
    """Listens before its path appears: whoever finds the socket is answered."""

    def __init__(self, path: Path, handler: type[BaseHTTPRequestHandler]) -> None:
        self._path = path
        self._unready = path.with_name(f".{path.name}")
        self._unready.unlink(missing_ok=True)
        super().__init__(str(self._unready), handler)

    def server_activate(self) -> None:  # type: ignore[explicit-override] # once it is bound
        super().server_activate()
        self._unready.replace(self._path)
        self.server_address = str(self._path)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:  # type: ignore[explicit-override] # handlers want an address
        request, _ = super().get_request()
        return request, ("local", 0)


def _listen(
    listen: str, handler: type[BaseHTTPRequestHandler]
) -> socketserver.TCPServer | socketserver.UnixStreamServer:
    if listen.startswith(UNIX_PREFIX):
        return _UnixServer(Path(listen.removeprefix(UNIX_PREFIX)), handler)
    host, _, port = listen.rpartition(":")
    return socketserver.TCPServer((host.strip("[]"), int(port)), handler)
