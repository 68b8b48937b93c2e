"""`chipledger-server result-key`: the key that signs attestation results."""

import argparse
import sys
from typing import Any

from chipledger_evidence.codec import encode_canonical
from chipledger_server.cli.desk import group
from chipledger_server.config import load_config
from chipledger_server.wiring import create_result_key, result_signer


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    key = group(commands, "result-key", "the key that signs attestation results")
    command = key.add_parser(
        "create", help="make it, for a collector that was set up before there was one"
    )
    command.set_defaults(act=_create)
    command = key.add_parser("show", help="print the public key, a JWK")
    command.set_defaults(act=_show)


def _create(arguments: argparse.Namespace) -> int:
    create_result_key(load_config(arguments.config))
    return _show(arguments)


def _show(arguments: argparse.Namespace) -> int:
    signer = result_signer(load_config(arguments.config))
    sys.stdout.write(f"{encode_canonical(signer.public.jwk).decode()}\n")
    return 0
