"""Pinned issuers of EK certificates: dated data with provenance.

Name and public key only, taken on 2026-11-23 from the certificate store that the Keylime project
publishes with its source (github.com/keylime/keylime, folder tpm_cert_store); they are facts of
the makers named. Not compared with a second source yet: the collector's operator may leave them
out or add others, see docs/SERVER.md. The list is short on purpose: a TPM of another maker, or of
a newer root, has its EK certificate marked `unknown-issuer` and the tier `tpm-noek`. Nuvoton's
root 2111 orders the parts of its name as DER forbids: certificates under it are `unreadable`.
"""

import base64
from typing import Final

from chipledger_evidence.tpm.endorsement import EkRoot

DATED: Final = "2026-11-23"
_SOURCE: Final = f"keylime/keylime tpm_cert_store, {DATED}"


def _root(vendor: str, name: str, *, subject: str, spki: str) -> EkRoot:
    return EkRoot(
        vendor=vendor,
        subject=base64.b64decode(subject, validate=True),
        spki=base64.b64decode(spki, validate=True),
        source=f"{name}; {_SOURCE}",
    )


VENDOR_ROOTS: Final[tuple[EkRoot, ...]] = (
    _root(
        "infineon",
        "IFX TPM EK Root CA, until 2030-10-24",
        subject=(
            "MG0xCzAJBgNVBAYTAkRFMRAwDgYDVQQIEwdCYXZhcmlhMSEwHwYDVQQKExhJbmZpbmVvbiBUZWNobm9sb2dp"
            "ZXMgQUcxDDAKBgNVBAsTA0FJTTEbMBkGA1UEAxMSSUZYIFRQTSBFSyBSb290IENB"
        ),
        spki=(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1yZqFFg0PLDocW7Fyis2Xe5vERxnJ+KlEMUOQnrw"
            "5At9f0/ggovDM8uCVW71T6e24T6HH6kUQZCtyddtsaf0tebmA3TxjiuBzBAtT6qyns35+sXuL6uZaLnjGKXD"
            "v+uByOzpmBXUSwq1tdSTPQ0wWWQ6v/qwKofZdxAaPCTIBw61G08rkUT42a1hPESmVFrmc5hcnn4AQmJEcjcO"
            "hClwIKE9OQw8TzI+7ncgCZlY3FZFKqHp7NRNnaihpmKbHvn5wXIUnKuvS4iZHqSbzGBuZ0ogqJ22ruDJi+JW"
            "YUWBmgI1JO85CPJ1Q58t0ME3hM3oWeqV6adWUcIcIpclkYQWlwIDAQAB"
        ),
    ),
    _root(
        "infineon",
        "Infineon OPTIGA(TM) ECC Root CA, until 2043-07-25",
        subject=(
            "MHcxCzAJBgNVBAYTAkRFMSEwHwYDVQQKDBhJbmZpbmVvbiBUZWNobm9sb2dpZXMgQUcxGzAZBgNVBAsMEk9Q"
            "VElHQShUTSkgRGV2aWNlczEoMCYGA1UEAwwfSW5maW5lb24gT1BUSUdBKFRNKSBFQ0MgUm9vdCBDQQ=="
        ),
        spki=(
            "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEJtR8S1YLwLtathjPspk89ds3UxLtCQVRvQnbFRCb/6RO6UljpbBt"
            "2MFO/dmAL40su8y/lrQyuNChnjpvG0lreOkCdNDEFJGMc+mKl229eAQa9OoVg+ruiDAbqTZD3faS"
        ),
    ),
    _root(
        "stmicroelectronics",
        "STM TPM EK Root CA, until 2039-12-31",
        subject=(
            "MEoxCzAJBgNVBAYTAkNIMR4wHAYDVQQKExVTVE1pY3JvZWxlY3Ryb25pY3MgTlYxGzAZBgNVBAMTElNUTSBU"
            "UE0gRUsgUm9vdCBDQQ=="
        ),
        spki=(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA8QSxucHAfSdDLIiTK3qFkJdtWwTddkkhmTydx6D4"
            "83K8wM+kj8vk6xZmenlFbKbBS/9t8HT6a6k1LQx4vgtqcJP93Rd/0W9rf8h4Ij5WwrIWKYuX/6ye5820NXGt"
            "i8197GgXud1XzUEFdM3ebjNA00q5gClNUSAI9lpWRVl6DeDVk8kbak+bLjx2tsvBZQljGSpUtBYmOKXzNtG+"
            "WEPhC+M6m/czed7v03WGXoK30pXN9DZfRtdzIIvvK7TxSsLMcdORAW4Va6B+2ilSNXY7HxNTFa1M8Otjx4pN"
            "8Zc851zC/Do2P/8SnoglnLAKbhgmiAH+07E0YtpfAzQd6wq9VwIDAQAB"
        ),
    ),
    _root(
        "stmicroelectronics",
        "STM TPM ECC Root CA 01, until 2038-01-19",
        subject=(
            "ME4xCzAJBgNVBAYTAkNIMR4wHAYDVQQKExVTVE1pY3JvZWxlY3Ryb25pY3MgTlYxHzAdBgNVBAMTFlNUTSBU"
            "UE0gRUNDIFJvb3QgQ0EgMDE="
        ),
        spki=(
            "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEbv84tcyKmtBAfA2eSlPpqobM4YtxtsCBS3KOVc5m26/QYHS20np/"
            "AzCAW23xEqWSjwHCfz38Ghk5Rwjid7x11FKioTpK2dTcjXeqqNqVOirdGfPrU6afo0SsrWnFR7eP"
        ),
    ),
    _root(
        "intel",
        "www.intel.com, until 2049-12-31",
        subject=(
            "MIGHMQswCQYDVQQGDAJVUzELMAkGA1UECAwCQ0ExFDASBgNVBAcMC1NhbnRhIENsYXJhMRowGAYDVQQKDBFJ"
            "bnRlbCBDb3Jwb3JhdGlvbjEhMB8GA1UECwwYVFBNIEVLIHJvb3QgY2VydCBzaWduaW5nMRYwFAYDVQQDDA13"
            "d3cuaW50ZWwuY29t"
        ),
        spki=(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElH2BUSyNSsxv4T92XX3LAmwpkOeCGbBXIbXp0B9DQ9+2nVuO"
            "G08QYSC69ssZFGikpYdWxwA6VMWe8Ier7r/39A=="
        ),
    ),
)
