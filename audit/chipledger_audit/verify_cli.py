"""`chipledger-verify`: offline checks from the base install.

Exit status: 0 everything asked for holds, 1 something was checked and refused, 2 the command
or its files could not be used.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chipledger_audit.ear_check import check_ear, describe_ear, ear_json, read_key
from chipledger_audit.gpu_check import check_pieces, describe_gpu
from chipledger_audit.gpu_files import FilesError, read_bounded, read_evidence, read_stored
from chipledger_audit.manifest_files import read_manifests
from chipledger_audit.token_check import check_token, describe
from chipledger_audit.wiring import now
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.gpu.envelope import NONCE_BYTES
from chipledger_evidence.gpu.roots import NVIDIA, NVIDIA_MANIFESTS
from chipledger_evidence.token import parse_compact

HOLDS = 0
REFUSED = 1
UNUSABLE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = _parser().parse_args(argv)
    command = {"token": _token, "gpu-evidence": _gpu_evidence, "ear": _ear}[arguments.command]
    try:
        return command(arguments)
    except (OSError, UnicodeDecodeError, FilesError) as error:
        print(f"chipledger-verify: {error}", file=sys.stderr)
        return UNUSABLE
    except EvidenceError as error:
        print(f"chipledger-verify: {error.code}: {error.detail}", file=sys.stderr)
        return REFUSED


def _token(arguments: argparse.Namespace) -> int:
    token = parse_compact(Path(arguments.token).read_text(encoding="ascii").strip())
    verdict = check_token(token, Path(arguments.key).read_bytes())
    _show(verdict, describe(verdict), arguments)
    return HOLDS if verdict.signed else REFUSED


def _gpu_evidence(arguments: argparse.Namespace) -> int:
    crls = None if arguments.crls is None else read_stored(arguments.crls)
    manifests = None if arguments.manifests is None else read_stored(arguments.manifests)
    at = now()
    check = check_pieces(
        read_evidence(arguments.path),
        nonce=arguments.nonce,
        pins=NVIDIA,
        now=at,
        crls=None if crls is None else list(crls.values()),
        manifests=None
        if manifests is None
        else read_manifests(manifests, pins=NVIDIA_MANIFESTS, now=at),
    )
    _show(check, describe_gpu(check), arguments)
    return HOLDS if check.genuine else REFUSED


def _ear(arguments: argparse.Namespace) -> int:
    verdict = check_ear(
        read_bounded(arguments.result).decode("ascii").strip(),
        read_key(read_bounded(arguments.key)),
        nonce=arguments.nonce,
        now=now(),
    )
    print(ear_json(verdict) if arguments.json else "\n".join(describe_ear(verdict)))
    return HOLDS if verdict.holds else REFUSED


def _show(verdict: object, lines: Sequence[str], arguments: argparse.Namespace) -> None:
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(verdict, order="sorted").decode() + "\n")
    else:
        print("\n".join(lines))


def _nonce(text: str) -> bytes:
    """Return the 32 bytes of a nonce in hexadecimal."""
    raw = bytes.fromhex(text)
    if len(raw) != NONCE_BYTES:
        raise argparse.ArgumentTypeError(f"a nonce has {NONCE_BYTES} bytes, this has {len(raw)}")
    return raw


def _asked(text: str) -> bytes:
    """Return the bytes of a nonce in base64url, as it is asked with."""
    try:
        return b64url_decode(text)
    except EvidenceError as error:
        raise argparse.ArgumentTypeError("not base64url without padding") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chipledger-verify", description="Check Chipledger evidence offline."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    token = commands.add_parser("token", help="check one evidence token against a public key")
    token.add_argument("token", metavar="TOKEN", help="file with the token as compact JWS")
    token.add_argument("--key", required=True, metavar="JWK", help="file with the host's JWK")
    token.add_argument("--json", action="store_true", help="print the verdict as JSON")
    gpu = commands.add_parser("gpu-evidence", help="explain what a GPU signed, step by step")
    gpu.add_argument(
        "path",
        metavar="PATH",
        type=Path,
        help="folder with report.hex and chain.pem, NVIDIA's JSON list, or a Redfish certificate",
    )
    gpu.add_argument("--nonce", metavar="HEX", type=_nonce, help="nonce the device was asked with")
    gpu.add_argument("--crls", metavar="DIR", type=Path, help="folder of stored revocation lists")
    gpu.add_argument("--manifests", metavar="DIR", type=Path, help="folder of reference manifests")
    gpu.add_argument("--json", action="store_true", help="print every fact as JSON")
    ear = commands.add_parser("ear", help="explain an attestation result, claim by claim")
    ear.add_argument("result", metavar="FILE", type=Path, help="file with the result, a JWT")
    ear.add_argument(
        "--key", required=True, metavar="JWK", type=Path, help="file with the verifier's JWK"
    )
    ear.add_argument("--nonce", metavar="BASE64URL", type=_asked, help="nonce it was asked with")
    ear.add_argument("--json", action="store_true", help="print every claim as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
