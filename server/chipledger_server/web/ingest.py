"""The agents' doors: reports, challenges, enrolments, health, metrics.

A raw ASGI function in front of everything else, because a framework would cost as much as the
signature (docs/adr). Before a signature is checked only bytes, time and the number of
connections are limited.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

import structlog

from chipledger_evidence.activation import ActivationChallenge
from chipledger_evidence.answers import Challenge, ChallengeRequest, Problem
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.compact import MAX_REQUEST_BYTES
from chipledger_evidence.compact import MEDIA_TYPE as STATEMENT_TYPE
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import MAX_BODY_BYTES, Body, decode_body
from chipledger_evidence.framing import MEDIA_TYPE as REPORT_TYPE
from chipledger_server.config import Limits
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.ingest import Answered
from chipledger_server.usecases.refusals import Code as ReadCode
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.web.asgi import App, Headers, Message, Receive, Scope, Send, answer
from chipledger_server.web.body import Gone, gunzip, read_body
from chipledger_server.web.problems import problem_of
from chipledger_server.web.statuses import status_of

_JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"
_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
_MAX_CHALLENGE_BYTES: Final = 1024
_MAX_FORM_BYTES: Final = 16 * 1024
_BODILESS: Final = frozenset({"GET", "HEAD"})
_DOORS: Final = "/v1/"
_REPORT_TYPE: Final = REPORT_TYPE.encode()
_STATEMENT_TYPE: Final = STATEMENT_TYPE.encode()
_LOG: Final = structlog.get_logger("chipledger.doors")

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class ReportsDoor(Protocol):
    """Takes framed tokens."""

    async def take(self, body: Body) -> Answered:
        """Return what became of every token."""
        ...


class ChallengesDoor(Protocol):
    """Gives nonces."""

    def make(self, request: ChallengeRequest) -> Challenge:
        """Return a nonce."""
        ...


class EnrolmentsDoor(Protocol):
    """Admits keys; blocks."""

    def enrol(self, body: bytes) -> Enrolment | ActivationChallenge:
        """Return the host's enrolment, or what its TPM must open first."""
        ...

    def activate(self, body: bytes) -> Enrolment:
        """Return the enrolment of a key whose TPM opened its challenge."""
        ...

    def rotate(self, body: bytes) -> Enrolment | ActivationChallenge:
        """Return the enrolment with the host's next key, or what its TPM must open first."""
        ...


class Gauges(Protocol):
    """Says how the collector is."""

    def health(self) -> tuple[bool, bytes]:
        """Return whether work is being done, and the facts as JSON."""
        ...

    def metrics(self) -> bytes:
        """Return Prometheus text."""
        ...


class AgentDoors:
    """ASGI application of the agents' doors; other paths go to `behind`."""

    def __init__(
        self,
        *,
        reports: ReportsDoor,
        challenges: ChallengesDoor,
        enrolments: EnrolmentsDoor,
        gauges: Gauges,
        limits: Limits,
        behind: App,
    ) -> None:
        self._reports = reports
        self._challenges = challenges
        self._gauges = gauges
        self._limits = limits
        self._behind = behind
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/v1/reports"): self._report,
            ("POST", "/v1/challenges"): self._challenge,
            ("POST", "/v1/enrolments"): partial(self._admit, enrolments.enrol),
            ("POST", "/v1/activations"): partial(self._admit, enrolments.activate),
            ("POST", "/v1/rotations"): partial(self._admit, enrolments.rotate),
            ("GET", "/v1/health"): self._health,
            ("GET", "/metrics"): self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        method = scope["method"]
        handler = self._routes.get((method, scope["path"]))
        if handler is None:
            if scope["path"].startswith(_DOORS):
                await self._refuse_address(scope, send)
                return
            if method in _BODILESS:
                await self._behind(scope, receive, send)
                return
            handler = self._form
        try:
            await handler(scope, receive, send)
        except (EvidenceError, ServerError) as error:
            await _refuse(send, error)
        except Gone:
            return
        except Exception:  # noqa: BLE001 - the HTTP edge
            _LOG.exception("request-failed", path=scope["path"])
            failed = ServerError(Code.NOT_STORED, "the collector failed; its log says why")
            await _refuse(send, failed)

    async def _refuse_address(self, scope: Scope, send: Send) -> None:
        """Refuse a request to no door in the words of the doors: an agent reads no page."""
        path = scope["path"]
        allowed = ", ".join(method for method, door in self._routes if door == path)
        if allowed:
            detail = f"this door takes {allowed}"
            problem = problem_of(Refusal(ReadCode.METHOD_NOT_ALLOWED, detail))
        else:
            problem = problem_of(Refusal(ReadCode.NOT_FOUND, "there is nothing at this address"))
        headers = [(b"content-type", _PROBLEM), (b"connection", b"close")]
        if allowed:
            headers.append((b"allow", allowed.encode()))
        await answer(send, problem.status, headers, encode_canonical(problem))

    async def _form(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a form of a page: a framework waits for its body for ever, and takes more."""
        body = await read_body(
            receive,
            most_bytes=_MAX_FORM_BYTES,
            idle_s=self._limits.body_idle_s,
            total_s=self._limits.body_total_s,
        )
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Message:
            return next(parts, None) or await receive()

        await self._behind(scope, again, send)

    async def _report(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive, _REPORT_TYPE, MAX_BODY_BYTES)
        answered = await self._reports.take(decode_body(body))
        status = 200 if answered.code is None else status_of(answered.code)
        headers = [(b"content-type", _JSON)]
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            headers.append((b"retry-after", b"60"))
        await answer(send, status, headers, encode_canonical(answered.answer))

    async def _challenge(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive, _JSON, _MAX_CHALLENGE_BYTES)
        challenge = self._challenges.make(decode_strict(body, ChallengeRequest))
        await answer(send, 200, [(b"content-type", _JSON)], encode_canonical(challenge))

    async def _admit(
        self,
        door: Callable[[bytes], Enrolment | ActivationChallenge],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        body = await self._body(scope, receive, _STATEMENT_TYPE, MAX_REQUEST_BYTES)
        answered = await asyncio.get_running_loop().run_in_executor(None, door, body)
        headers = [(b"content-type", _JSON)]
        if isinstance(answered, ActivationChallenge):
            await answer(send, HTTPStatus.ACCEPTED, headers, encode_canonical(answered))
            return
        _LOG.info("key-enrolled", host=answered.host, site=answered.site, kid=answered.kid)
        await answer(send, HTTPStatus.CREATED, headers, encode_canonical(answered))

    async def _health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        well, facts = self._gauges.health()
        await answer(send, 200 if well else 503, [(b"content-type", _JSON)], facts)

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, [(b"content-type", _TEXT)], self._gauges.metrics())

    async def _body(
        self, scope: Scope, receive: Receive, media_type: bytes, most_bytes: int
    ) -> bytes:
        kind, encoding, length = b"", b"", b"0"
        for name, value in scope["headers"]:
            if name == b"content-type":
                kind = value
            elif name == b"content-encoding":
                encoding = value
            elif name == b"content-length":
                length = value
        if kind != media_type and kind.split(b";")[0].strip().lower() != media_type:
            raise ServerError(Code.UNSUPPORTED_MEDIA_TYPE, f"this door takes {media_type.decode()}")
        if encoding not in {b"", b"identity", b"gzip"}:
            raise ServerError(Code.UNSUPPORTED_MEDIA_TYPE, "the only content encoding is gzip")
        if length.isdigit() and int(length) > most_bytes:
            raise EvidenceError(EvidenceCode.OVERSIZE, f"more than {most_bytes} bytes of body")
        body = await read_body(
            receive,
            most_bytes=most_bytes,
            idle_s=self._limits.body_idle_s,
            total_s=self._limits.body_total_s,
        )
        return gunzip(body, most_bytes=most_bytes) if encoding == b"gzip" else body


async def _refuse(send: Send, error: EvidenceError | ServerError) -> None:
    status = status_of(error.code)
    problem = Problem(
        code=str(error.code),
        detail=error.detail,
        status=status,
        title=str(error.code).replace("-", " "),
        type=f"about:blank#{error.code}",
        hint=error.hint or None,
    )
    headers: Headers = [(b"content-type", _PROBLEM)]
    if isinstance(error, ServerError) and error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
        headers.append((b"connection", b"close"))  # the rest of the body is not wanted
    await answer(send, status, headers, encode_canonical(problem))
