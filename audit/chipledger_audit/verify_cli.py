"""`chipledger-verify`: offline checks from the base install.

Exit status: 0 everything asked for holds, 1 something was checked and refused, 2 the command
or its files could not be used.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from chipledger_audit.token_check import check_token, describe
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.token import parse_compact

HOLDS = 0
REFUSED = 1
UNUSABLE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        token = parse_compact(Path(arguments.token).read_text(encoding="ascii").strip())
        verdict = check_token(token, Path(arguments.key).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        print(f"chipledger-verify: {error}", file=sys.stderr)
        return UNUSABLE
    except EvidenceError as error:
        print(f"chipledger-verify: {error.code}: {error.detail}", file=sys.stderr)
        return REFUSED
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(verdict, order="sorted").decode() + "\n")
    else:
        print("\n".join(describe(verdict)))
    return HOLDS if verdict.signed else REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chipledger-verify", description="Check Chipledger evidence offline."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    token = commands.add_parser("token", help="check one evidence token against a public key")
    token.add_argument("token", metavar="TOKEN", help="file with the token as compact JWS")
    token.add_argument("--key", required=True, metavar="JWK", help="file with the host's JWK")
    token.add_argument("--json", action="store_true", help="print the verdict as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
