"""Any implementation of the agent's collector port, served over HTTP on loopback."""

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from chipledger_agent.domain.failures import CollectorRefused, CollectorUnavailable
from chipledger_agent.ports import Collector
from chipledger_evidence.answers import ChallengeRequest, Problem, RefusedToken
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import decode_body

REFUSED_STATUS = 422


@contextmanager
def served(collector: Collector, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve `collector` while the block runs; gives the base URL."""

    class Handler(_Handler):
        port = collector

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    port: Collector
    protocol_version = "HTTP/1.1"
    timeout = 10
    dated = True

    def do_GET(self) -> None:
        health = self.port.health()
        self.dated = health.clock_s is not None
        self._answer(200 if health.working else 503, msgspec.json.encode(health.facts))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            status, answer = self._work(body)
            self._answer(status, encode_canonical(answer))
        except EvidenceError as error:
            self._problem(400, error.code, error.detail)
        except CollectorRefused as error:
            self._problem(404 if error.code == "unknown-key" else 400, error.code, error.detail)
        except CollectorUnavailable as error:
            self._problem(503, error.code, error.detail, retry_after_s=error.retry_after_s)

    def _work(self, body: bytes) -> tuple[int, Any]:
        match self.path:
            case "/v1/enrolments":
                return 201, self.port.enrol(body)
            case "/v1/activations":
                return 201, self.port.activate(body)
            case "/v1/rotations":
                return 201, self.port.rotate(body)
            case "/v1/challenges":
                return 200, self.port.challenge(decode_strict(body, ChallengeRequest))
            case "/v1/reports":
                records = decode_body(body)
                answer = self.port.deliver(records.tokens, records.blobs)
                refused = all(isinstance(result, RefusedToken) for result in answer.results)
                return (REFUSED_STATUS if refused else 200), answer
            case _:
                raise CollectorRefused("not-found", self.path)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        if self.dated:
            self.send_response(status)
        else:
            self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in ({"Content_Type": "application/json"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _problem(
        self, status: int, code: str, detail: str, *, retry_after_s: int | None = None
    ) -> None:
        problem = Problem(
            code=code, detail=detail, status=status, title=code, type=f"about:blank#{code}"
        )
        retry = {} if retry_after_s is None else {"Retry_After": str(retry_after_s)}
        headers = {"Content_Type": "application/problem+json"} | retry
        self._answer(status, encode_canonical(problem), **headers)

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 - their signature
        """Tests read answers, not logs."""
