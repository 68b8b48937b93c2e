"""The collector over HTTP (docs/WIRE.md section 6): bounded in bytes and in time."""

import email.utils
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from urllib3.exceptions import HTTPError
from urllib3.util import SKIP_HEADER

from chipledger_agent.adapters.pin import Pin
from chipledger_agent.adapters.tls import NoProxyEnvironment, PinnedAdapter
from chipledger_agent.domain.failures import (
    AgentCode,
    AgentError,
    CollectorRefused,
    CollectorUnavailable,
)
from chipledger_agent.ports import Clock, Health
from chipledger_evidence.activation import ActivationChallenge
from chipledger_evidence.answers import Challenge, ChallengeRequest, ReportAnswer
from chipledger_evidence.codec import decode_answer, encode_canonical
from chipledger_evidence.compact import MEDIA_TYPE as STATEMENT_TYPE
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import MEDIA_TYPE as REPORT_TYPE
from chipledger_evidence.framing import encode_body
from chipledger_evidence.token import Token

T = TypeVar("T")

MAX_ANSWER_BYTES = 256 * 1024
_CHUNK_BYTES = 64 * 1024
_IDLE_MS = 30_000
_ASK_AGAIN = frozenset({408, 429})
_CLIENT_FAULT = range(400, 500)
_SERVER_FAULT = range(500, 600)
_GOOD = range(200, 300)
_ACCEPTED = 202
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the collector is and how it is reached.

    Attributes:
        url: base URL; ``http`` on loopback only.
        pin: what its certificate must be; ``None`` for plain HTTP.
        proxy: URL of an HTTP proxy, empty for none; the environment is never asked.
        connect_timeout_s: seconds to connect, TLS included.
        answer_timeout_s: seconds for the whole answer.
    """

    url: str
    pin: Pin | None
    proxy: str
    connect_timeout_s: int
    answer_timeout_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Problem(msgspec.Struct, frozen=True):
    """What an RFC 9457 document must at least hold for us; more is fine."""

    code: str
    detail: str = ""
    hint: str | None = None


class HttpCollector:
    """Speaks to one collector. Nothing is sent before its certificate was recognised."""

    def __init__(self, endpoint: Endpoint, *, clock: Clock) -> None:
        parts = urlsplit(endpoint.url)
        self._plain = parts.scheme == "http"
        if self._plain and parts.hostname not in LOOPBACK:
            raise AgentError(
                AgentCode.CONFIG_BAD_VALUE,
                f"collector.url {endpoint.url}: plain HTTP is for loopback only",
                hint="use https:// and collector.pin_file",
            )
        self._endpoint = endpoint
        self._clock = clock
        self._last_use_ms = clock.monotonic_ms()
        self._session = self._new_session()

    def enrol(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Return the enrolment of the key that signed `request`, or what its TPM must open."""
        return self._ask_for_key("/v1/enrolments", request)

    def activate(self, request: bytes) -> Enrolment:
        """Return the enrolment of a key whose TPM opened its challenge (compact JWS)."""
        answer = self._post("/v1/activations", request, media_type=STATEMENT_TYPE)
        return self._expect(answer, Enrolment)

    def rotate(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Return the enrolment with the host's next key, or what its TPM must open."""
        return self._ask_for_key("/v1/rotations", request)

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Return a fresh nonce and the head of the host's chain."""
        body = encode_canonical(request)
        return self._expect(self._post("/v1/challenges", body), Challenge)

    def deliver(self, tokens: Sequence[Token], blobs: Sequence[bytes] = ()) -> ReportAnswer:
        """Return one result a token, in order; *stored* means durable at the collector."""
        body = encode_body(tokens, blobs)
        packed = gzip.compress(body, mtime=0)
        answer = self._post("/v1/reports", packed, media_type=REPORT_TYPE, encoding="gzip")
        if answer.status in _CLIENT_FAULT and not _is_problem(answer):
            # No report was taken, each with its own reason.
            return _decode(answer, ReportAnswer)
        return self._expect(answer, ReportAnswer)

    def health(self) -> Health:
        """Return what the collector says of itself."""
        answer = self._exchange("GET", "/v1/health", None, {})
        date = email.utils.parsedate_tz(answer.headers.get("Date", ""))
        facts: dict[str, object]
        try:
            facts = msgspec.json.decode(answer.body, type=dict[str, object])
        except msgspec.DecodeError:
            facts = {}
        return Health(
            working=answer.status in _GOOD,
            clock_s=email.utils.mktime_tz(date) if date else None,
            facts={name: str(value) for name, value in facts.items()},
        )

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def _ask_for_key(self, path: str, request: bytes) -> Enrolment | ActivationChallenge:
        answer = self._post(path, request, media_type=STATEMENT_TYPE)
        if answer.status == _ACCEPTED:
            return self._expect(answer, ActivationChallenge)
        return self._expect(answer, Enrolment)

    def _post(
        self, path: str, body: bytes, *, media_type: str = "application/json", encoding: str = ""
    ) -> _Answer:
        headers = {"Content-Type": media_type}
        if encoding:
            headers["Content-Encoding"] = encoding
        return self._exchange("POST", path, body, headers)

    def _exchange(
        self,
        method: Literal["GET", "POST"],
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> _Answer:
        endpoint = self._endpoint
        self._drop_idle()
        try:
            with self._session.request(
                method,
                endpoint.url.rstrip("/") + path,
                data=body,
                # Bytes count on thin lines: the report itself says who made it.
                headers={"User-Agent": SKIP_HEADER, "Accept-Encoding": "identity", **headers},
                timeout=(endpoint.connect_timeout_s, endpoint.answer_timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                data = self._read(response)
                return _Answer(status=response.status_code, headers=response.headers, body=data)
        except requests.exceptions.SSLError as error:
            raise CollectorUnavailable(
                AgentCode.COLLECTOR_UNTRUSTED,
                f"{endpoint.url} did not show the pinned certificate: {_reason(error)}",
                hint="compare collector.pin_file with the collector's certificate",
            ) from error
        # While the body is read, urllib3 speaks for itself.
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            raise CollectorUnavailable(
                AgentCode.COLLECTOR_UNREACHABLE, f"{endpoint.url}: {_reason(error)}"
            ) from error

    def _read(self, response: requests.Response) -> bytes:
        deadline_ms = self._clock.monotonic_ms() + self._endpoint.answer_timeout_s * 1000
        data = b""
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            data += chunk
            if len(data) > MAX_ANSWER_BYTES:
                raise _confused(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            if self._clock.monotonic_ms() > deadline_ms:
                raise CollectorUnavailable(
                    AgentCode.COLLECTOR_UNREACHABLE,
                    f"no whole answer within {self._endpoint.answer_timeout_s} s",
                )
        return data

    def _expect(self, answer: _Answer, kind: type[T]) -> T:
        if answer.status in _GOOD:
            return _decode(answer, kind)
        problem = _problem(answer)
        if answer.status in _SERVER_FAULT or answer.status in _ASK_AGAIN:
            raise CollectorUnavailable(
                problem.code if problem else AgentCode.COLLECTOR_BUSY,
                (problem.detail if problem else "") or f"HTTP status {answer.status}",
                retry_after_s=self._retry_after_s(answer),
            )
        if problem is None:
            raise _confused(f"HTTP status {answer.status} without a problem document")
        raise CollectorRefused(problem.code, problem.detail, hint=problem.hint or "")

    def _retry_after_s(self, answer: _Answer) -> int | None:
        """Read `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date."""
        text = answer.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return int(text)
        date = email.utils.parsedate_tz(text)
        return max(0, email.utils.mktime_tz(date) - self._clock.now_s()) if date else None

    def _drop_idle(self) -> None:
        # Between hourly reports somebody on the way has long forgotten the connection.
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._last_use_ms > _IDLE_MS:
            self._session.close()
        self._last_use_ms = now_ms

    def _new_session(self) -> requests.Session:
        endpoint = self._endpoint
        proxies = {} if self._plain or not endpoint.proxy else {"https": endpoint.proxy}
        session = NoProxyEnvironment(proxies)
        if not self._plain:
            session.mount("http://", _Nowhere())
        if endpoint.pin is not None:
            session.mount("https://", PinnedAdapter(endpoint.pin))
        else:
            session.mount("https://", _Nowhere())
        return session


class _Nowhere(requests.adapters.BaseAdapter):
    """Refuses a scheme, so that nothing can be sent without the pin by mistake."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override, explicit-override]
        raise requests.exceptions.InvalidSchema(f"not allowed for {request.url}")

    def close(self) -> None:  # type: ignore[explicit-override] # typing.override needs Python 3.12
        pass


def _is_problem(answer: _Answer) -> bool:
    return answer.headers.get("Content-Type", "").startswith("application/problem+json")


def _problem(answer: _Answer) -> _Problem | None:
    try:
        return msgspec.json.decode(answer.body, type=_Problem)
    except msgspec.DecodeError:
        return None


def _decode(answer: _Answer, kind: type[T]) -> T:
    try:
        return decode_answer(answer.body, kind, max_bytes=MAX_ANSWER_BYTES)
    except EvidenceError as error:
        raise _confused(f"HTTP status {answer.status}, {error}") from error


def _confused(detail: str) -> CollectorUnavailable:
    return CollectorUnavailable(
        AgentCode.COLLECTOR_CONFUSED,
        detail,
        hint="is another program answering at the collector's address?",
    )


def _reason(error: BaseException) -> str:
    """Return the innermost cause: the outer layers only repeat the address."""
    seen = {id(error)}
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or id(inner) in seen:
            return str(error) or type(error).__name__
        seen.add(id(inner))
        error = inner
