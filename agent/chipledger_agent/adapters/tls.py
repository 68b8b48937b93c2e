"""HTTPS with the pinned collector alone, under `requests`."""

import socket
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter

from chipledger_agent.adapters.pin import Pin


class PinnedContext(ssl.SSLContext):
    """A TLS client context that hands out only connections to the pinned collector."""

    pin: Pin

    def wrap_socket(  # type: ignore[override, explicit-override] # only what urllib3 uses of it
        self,
        sock: socket.socket,
        server_hostname: str | None = None,
        **options: Any,  # noqa: ANN401 - passed through
    ) -> ssl.SSLSocket:
        """Return the connection after its handshake, if the peer's certificate is the pinned one.

        Raises:
            ssl.SSLCertVerificationError: before a byte of ours was sent.
        """
        wrapped = super().wrap_socket(sock, server_hostname=server_hostname, **options)
        certificate = wrapped.getpeercert(binary_form=True)
        if certificate is None or not self.pin.accepts(certificate):
            wrapped.close()
            raise ssl.SSLCertVerificationError("the certificate is not the pinned one")
        return wrapped


C = TypeVar("C", bound=PinnedContext)


def pinned_context(
    pin: Pin, *, kind: type[C], oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> C:
    """Return a context that trusts what `pin` names, and no authority of this machine.

    Args:
        pin: what the peer's certificate must be.
        kind: class of the context.
        oldest: version of TLS that is still spoken.
    """
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.pin = pin
    context.minimum_version = oldest
    if pin.anchors:
        context.load_verify_locations(cadata=pin.anchors)
        # A pinned certificate need not be an authority itself.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    else:  # the digest alone decides, in `wrap_socket`
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class PinnedAdapter(HTTPAdapter):
    """Makes every HTTPS connection with one context, which nothing can add an authority to."""

    def __init__(self, pin: Pin, context: PinnedContext | None = None) -> None:
        self._context = context or pinned_context(pin, kind=PinnedContext)
        if not pin.anchors:
            # urllib3 cannot see that the digest was checked and would warn at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        super().__init__(pool_connections=1, pool_maxsize=1)

    def build_connection_pool_key_attributes(  # type: ignore[override, explicit-override] # their types are private
        self,
        request: requests.PreparedRequest,
        verify: Any,  # noqa: ANN401, ARG002 - their signature
        cert: Any = None,  # noqa: ANN401 - their signature
    ) -> tuple[Any, dict[str, Any]]:
        """Return the pool key with our context in place of any bundle of authorities."""
        host, _ = super().build_connection_pool_key_attributes(request, True, cert)  # noqa: FBT003
        reqs = "CERT_REQUIRED" if self._context.pin.anchors else "CERT_NONE"
        return host, {"ssl_context": self._context, "cert_reqs": reqs}

    def cert_verify(  # type: ignore[explicit-override] # typing.override needs Python 3.12
        self,
        conn: Any,  # noqa: ANN401 - their signature
        url: Any,  # noqa: ANN401 - their signature
        verify: Any,  # noqa: ANN401 - their signature
        cert: Any,  # noqa: ANN401 - their signature
    ) -> None:
        """Do not let `requests` add its bundle of authorities to the connection."""


class NoProxyEnvironment(requests.Session):
    """A session that takes neither proxies nor credentials nor bundles from the environment."""

    def __init__(self, proxies: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = False
        self.proxies = dict(proxies)
        self.headers.clear()
