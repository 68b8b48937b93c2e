"""The one collector this agent talks to, recognised by its certificate alone.

A pin file holds either certificates (PEM), which then are the only trust anchors, or lines
``sha256:<64 hex>`` naming a certificate or its public key (SPKI), or both. No other authority
of the machine is ever asked.
"""

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from chipledger_agent.domain.failures import AgentCode, AgentError

_LINE = re.compile(r"^\s*(?:sha256[:/])?((?:[0-9a-fA-F]{2}:?){32})\s*$", re.MULTILINE)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What the collector's certificate must be.

    Attributes:
        anchors: PEM certificates that may vouch for it; empty when it is named by digest alone.
        digests: SHA-256, hex, of the certificate or of its public key; one of them must fit
            when there are any.
    """

    anchors: str
    digests: frozenset[str]

    def accepts(self, certificate: bytes) -> bool:
        """Tell whether `certificate` (DER) is one of those named by digest, if any are."""
        if not self.digests:
            return bool(self.anchors)
        digest = hashlib.sha256(certificate).hexdigest()
        if digest in self.digests:
            return True
        from cryptography import x509  # noqa: PLC0415 - 3 MiB that an idle agent need not hold
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - same

        key = x509.load_der_x509_certificate(certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(spki).hexdigest() in self.digests


def load_pin(path: Path) -> Pin:
    """Return the pin in `path`.

    Raises:
        AgentError: `pin-unreadable`.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(AgentCode.PIN_UNREADABLE, f"{path}: {error}") from error
    anchors = "\n".join(_PEM.findall(text))
    digests = _LINE.findall(_PEM.sub("", text))
    pin = Pin(
        anchors=anchors,
        digests=frozenset(digest.replace(":", "").lower() for digest in digests),
    )
    if not pin.anchors and not pin.digests:
        raise AgentError(
            AgentCode.PIN_UNREADABLE,
            f"{path} holds neither a PEM certificate nor a line sha256:<64 hex digits>",
            hint="copy the collector's certificate there",
        )
    try:
        if pin.anchors:
            ssl.create_default_context(cadata=pin.anchors)
    except (ssl.SSLError, ValueError) as error:
        raise AgentError(
            AgentCode.PIN_UNREADABLE, f"{path} holds a damaged certificate: {error}"
        ) from error
    return pin


def proxy_url(url: str, credentials: Path | None) -> str:
    """Return the proxy's URL with the credentials of a file, if there are any.

    Raises:
        AgentError: `config-unreadable` when the file cannot be read.
    """
    if not url or credentials is None:
        return url
    try:
        user, _, password = credentials.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(AgentCode.CONFIG_UNREADABLE, f"{credentials}: {error}") from error
    return url.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@", 1)
