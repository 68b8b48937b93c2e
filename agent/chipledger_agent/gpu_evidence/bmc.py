"""The BMC's Redfish service over HTTPS: pinned, bounded in bytes, requests and time.

A BMC is as little trusted as the host: it may hang, send for ever, lie about lengths, or send us
elsewhere. Nothing of it is followed but paths of its own below ``/redfish/v1``.
"""

import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import requests
from urllib3.exceptions import HTTPError
from urllib3.util import SKIP_HEADER

from chipledger_agent.adapters.durable import exposed
from chipledger_agent.adapters.pin import Pin, load_pin
from chipledger_agent.adapters.tls import (
    NoProxyEnvironment,
    PinnedAdapter,
    PinnedContext,
    pinned_context,
)
from chipledger_agent.domain.evidence import ReasonCode
from chipledger_agent.domain.failures import AgentError

T = TypeVar("T")

MAX_ANSWER_BYTES = 256 * 1024
MAX_REQUESTS = 1000
_CHUNK_BYTES = 64 * 1024
_REQUEST_S = 30
_LATE_MS = 50
_ABSENT, _GOOD, _MOVED, _CLIENT_FAULT = 404, range(200, 300), range(300, 400), range(400, 500)
_PATH = re.compile(r"/redfish/v1(?:/[A-Za-z0-9_.~@:%+-]{1,128}){0,16}/?")
_MAX_CREDENTIALS = 512


class BmcError(Exception):
    """The BMC did not give what was asked for; `code` says why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the BMC is reached.

    Attributes:
        url: ``https://host[:port]``.
        pin_file: its certificate or digests.
        credentials_file: ``user:password`` in one line; must be closed to others.
    """

    url: str
    pin_file: Path
    credentials_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, its body not understood yet."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[T]) -> T:
        """Return the body as `kind`.

        Raises:
            BmcError: `redfish-malformed`.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BmcError(ReasonCode.REDFISH_MALFORMED, str(error)) from error


class _CutContext(PinnedContext):
    """A context whose connections can be ended from another thread, whatever they wait for."""

    opened: list[socket.socket]

    def wrap_socket(  # type: ignore[override, explicit-override] # as in PinnedContext
        self,
        sock: socket.socket,
        server_hostname: str | None = None,
        **options: Any,  # noqa: ANN401 - passed through
    ) -> ssl.SSLSocket:
        """Remember the connection, then do the handshake."""
        self.opened.append(socket.socket(fileno=os.dup(sock.fileno())))
        return super().wrap_socket(sock, server_hostname=server_hostname, **options)

    def cut(self) -> None:
        """End every connection now."""
        for connection in self.opened:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of them."""
        for connection in self.opened:
            connection.close()


class Bmc:
    """One session with a BMC, which ends by its deadline."""

    def __init__(self, session: requests.Session, url: str, *, left_ms: Callable[[], int]) -> None:
        self._session = session
        self._url = url
        self._left_ms = left_ms
        self._requests = 0

    def get(self, path: str, kind: type[T]) -> T:
        """Return the resource at `path` as `kind`.

        Raises:
            BmcError: with the reason.
        """
        return self._good(self._exchange("GET", path, None)).read(kind)

    def get_if_there(self, path: str, kind: type[T]) -> T | None:
        """Return the resource at `path`; None where the BMC has none.

        Raises:
            BmcError: with the reason.
        """
        answer = self._exchange("GET", path, None)
        return None if answer.status == _ABSENT else self._good(answer).read(kind)

    def ask(self, method: Literal["GET", "POST"], path: str, body: object = None) -> Answer:
        """Return the good answer to a request, its body not understood yet.

        Raises:
            BmcError: with the reason.
        """
        packed = None if body is None else msgspec.json.encode(body)
        return self._good(self._exchange(method, path, packed))

    def _good(self, answer: Answer) -> Answer:
        if answer.status in _GOOD:
            return answer
        if answer.status in _MOVED:
            raise BmcError(ReasonCode.REDFISH_REDIRECTED, f"HTTP status {answer.status}")
        refused = answer.status in _CLIENT_FAULT
        code = ReasonCode.REDFISH_REFUSED if refused else ReasonCode.REDFISH_UNREACHABLE
        raise BmcError(code, f"HTTP status {answer.status}")

    def _exchange(self, method: str, path: str, body: bytes | None) -> Answer:
        self._requests += 1
        if not _PATH.fullmatch(path) or ".." in path:
            raise BmcError(ReasonCode.REDFISH_MALFORMED, f"a link to {path[:100]!r}")
        if self._requests > MAX_REQUESTS:
            raise BmcError(ReasonCode.REDFISH_OVERSIZE, f"more than {MAX_REQUESTS} requests")
        left_s = self._left_ms() // 1000
        if left_s <= 0:
            raise BmcError(ReasonCode.DEADLINE, path)
        try:
            with self._session.request(
                method,
                self._url + path,
                data=body,
                headers=_HEADERS if body is None else _HEADERS | _JSON,
                timeout=min(left_s, _REQUEST_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                data = self._read(response)
                return Answer(status=response.status_code, headers=response.headers, body=data)
        except requests.exceptions.SSLError as error:
            code = ReasonCode.DEADLINE if self._left_ms() <= 0 else ReasonCode.REDFISH_UNTRUSTED
            raise BmcError(code, _words(error)) from error
        except (requests.exceptions.RequestException, HTTPError, OSError, ValueError) as error:
            code = ReasonCode.DEADLINE if self._left_ms() <= 0 else ReasonCode.REDFISH_UNREACHABLE
            raise BmcError(code, f"{path}: {_words(error)}") from error

    def _read(self, response: requests.Response) -> bytes:
        data = b""
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            data += chunk
            if len(data) > MAX_ANSWER_BYTES:
                raise BmcError(ReasonCode.REDFISH_OVERSIZE, f"more than {MAX_ANSWER_BYTES} bytes")
            if self._left_ms() <= 0:
                raise BmcError(ReasonCode.DEADLINE, "an answer that does not end")
        if self._left_ms() <= 0:  # its end may be the one that we made
            raise BmcError(ReasonCode.DEADLINE, "an answer that was cut off")
        return data


_HEADERS: dict[str, str] = {
    "User-Agent": SKIP_HEADER,
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_JSON = {"Content-Type": "application/json"}


@contextmanager
def connected(access: Access, *, left_ms: Callable[[], int]) -> Iterator[Bmc]:
    """Open a session with the BMC; when no time is left every connection of it is ended.

    Args:
        access: how the BMC is reached.
        left_ms: milliseconds until the deadline, 0 or less when it has passed.

    Raises:
        BmcError: `redfish-credentials-unreadable` or `redfish-untrusted` (pin unreadable).
    """
    user, password = _credentials(access.credentials_file)
    try:
        pin: Pin = load_pin(access.pin_file)
    except AgentError as error:
        raise BmcError(ReasonCode.REDFISH_UNTRUSTED, error.detail) from error
    # Management controllers are slow to learn TLS 1.3; the pin says who it is in either version.
    context = pinned_context(pin, kind=_CutContext, oldest=ssl.TLSVersion.TLSv1_2)
    context.opened = []
    session = NoProxyEnvironment({})
    session.auth = (user, password)
    session.mount("https://", PinnedAdapter(pin, context))
    session.adapters.pop("http://", None)
    # A little late, so that what it ends is seen to have missed the deadline.
    timer = threading.Timer((max(0, left_ms()) + _LATE_MS) / 1000, context.cut)
    timer.daemon = True
    timer.start()
    try:
        yield Bmc(session, access.url.rstrip("/"), left_ms=left_ms)
    finally:
        timer.cancel()
        session.close()
        context.forget()


def _credentials(path: Path) -> tuple[str, str]:
    try:
        why_open = exposed(path)
        text = path.read_text(encoding="utf-8")[:_MAX_CREDENTIALS].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BmcError(ReasonCode.REDFISH_CREDENTIALS, f"{path}: {error}") from error
    user, colon, password = text.partition(":")
    if why_open or not user or not colon:
        words = why_open or "it does not hold user:password"
        raise BmcError(ReasonCode.REDFISH_CREDENTIALS, f"{path}: {words}")
    return user, password


def _words(error: BaseException) -> str:
    """Return the innermost cause: the outer layers only repeat the address."""
    seen = {id(error)}
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or id(inner) in seen:
            return str(error) or type(error).__name__
        seen.add(id(inner))
        error = inner
