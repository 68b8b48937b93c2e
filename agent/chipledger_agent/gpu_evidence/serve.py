"""The evidence service: starts `nvattest` as root for the agent, and does nothing else.

Run by a socket-activated unit of its own (systemd/chipledger-gpu-evidence.service), which is off
by default, because NVIDIA's corelib needs root. It takes one request from the one account it
serves (SO_PEERCRED), starts one program by an absolute path that only root can write, with a
fixed command line and a deadline, hands its output on unread, and ends.
"""

import argparse
import os
import pwd
import socket
import stat
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.domain.evidence import ReasonCode
from chipledger_agent.gpu_evidence.exchange import (
    GOOD,
    MAX_OUTPUT_BYTES,
    MAX_REQUEST_BYTES,
    Device,
    Head,
    Request,
    decode_request,
    encode_line,
)
from chipledger_agent.scan.process import Heard, Spawn, hear, spawn
from chipledger_evidence.errors import EvidenceError

PROGRAMS = (Path("/usr/bin/nvattest"), Path("/usr/local/bin/nvattest"))
ACCOUNT = "chipledger-agent"
DEADLINE_S = 120
_FIRST_PASSED_DESCRIPTOR = 3
_REQUEST_TIMEOUT_S = 5
_PEERCRED = struct.Struct("3i")
_MAX_WORDS = 400
_CORELIB = ("--gpu-evidence-source=corelib", "--gpu-architecture=blackwell")


def arguments_of(request: Request) -> tuple[str, ...]:
    """Return the arguments of `nvattest` for `request`; nothing of them is free text."""
    source: dict[Device, tuple[str, ...]] = {"gpu": _CORELIB, "nvswitch": ()}
    return (
        "collect-evidence",
        f"--device={request.device}",
        *source[request.device],
        f"--nonce={request.nonce}",
        "--format=json",
    )


def answer_to(
    request: Request,
    *,
    programs: Sequence[Path],
    deadline_s: int,
    monotonic_ms: Callable[[], int],
    owner: int = 0,
    spawn: Spawn = spawn,
) -> tuple[Head, bytes]:
    """Run the program for `request`; return what became of it and its output.

    Args:
        request: whom to ask, and over what.
        programs: absolute paths of `nvattest`; the first that is there is used.
        deadline_s: seconds for the program.
        monotonic_ms: a clock that never jumps.
        owner: whom the program must belong to.
        spawn: starts a command.
    """
    program = next((path for path in programs if _is_safe(path, owner)), None)
    if program is None:
        return _head(ReasonCode.NVATTEST_ABSENT, f"none of {', '.join(map(str, programs))}"), b""
    try:
        child = spawn((str(program), *arguments_of(request)))
    except OSError as error:
        return _head(ReasonCode.NVATTEST_FAILED, f"{program}: {error}"), b""
    heard = hear(
        child,
        end=None,
        monotonic_ms=monotonic_ms,
        deadline_ms=monotonic_ms() + deadline_s * 1000,
        max_bytes=MAX_OUTPUT_BYTES,
    )
    note = child.note()
    child.close()
    return _judged(heard, note, deadline_s=deadline_s)


def _judged(heard: Heard, note: str, *, deadline_s: int) -> tuple[Head, bytes]:
    if heard.too_long:
        return _head(ReasonCode.NVATTEST_OVERSIZE, f"more than {MAX_OUTPUT_BYTES} bytes"), b""
    if heard.overdue or heard.code is None:
        return _head(ReasonCode.DEADLINE, f"nvattest ran longer than {deadline_s} s"), b""
    if heard.code != 0:
        return _head(ReasonCode.NVATTEST_FAILED, f"exit status {heard.code}: {note}"), b""
    return _head(GOOD, "", size=len(heard.told)), heard.told


def serve_one(
    listener: socket.socket, *, uid: int, answer: Callable[[Request], tuple[Head, bytes]]
) -> None:
    """Take one connection from `listener` and answer it, if its peer is `uid` or root."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(_REQUEST_TIMEOUT_S)
        _, peer, _ = _PEERCRED.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        )
        try:
            line = _line(connection)  # first, or closing would lose the answer with it
            if peer not in {uid, 0}:
                connection.sendall(encode_line(_head(ReasonCode.PEER_REFUSED, f"user {peer}")))
                return
            request = decode_request(line)
        except (EvidenceError, TimeoutError) as error:
            connection.sendall(encode_line(_head(ReasonCode.SERVICE_FAILED, str(error))))
            return
        head, output = answer(request)
        connection.settimeout(_REQUEST_TIMEOUT_S)
        connection.sendall(encode_line(head) + output)


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) <= MAX_REQUEST_BYTES:
        chunk = connection.recv(MAX_REQUEST_BYTES)
        if not chunk:
            break
        data += chunk
    return data.removesuffix(b"\n")


def _head(code: str, detail: str, *, size: int = 0) -> Head:
    words = "".join(mark if mark.isprintable() else " " for mark in detail)[:_MAX_WORDS]
    return Head(code=code, detail=words, size=size, v=1)


def _is_safe(path: Path, owner: int) -> bool:
    """Tell whether `path` is a program that only its owner, root, can change."""
    try:
        facts = path.resolve(strict=True).stat()
    except OSError:
        return False
    writable = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == owner and not writable


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return `program` (a list), `user` and `deadline_s` of the command line."""
    parser = argparse.ArgumentParser(prog="chipledger-agent-evidence")
    parser.add_argument("--program", type=Path, action="append", default=[])
    parser.add_argument("--user", default=ACCOUNT)
    parser.add_argument("--deadline-s", type=int, default=DEADLINE_S)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one request on the socket that the service manager passed (descriptor 3)."""
    options = arguments(sys.argv[1:] if argv is None else argv)
    try:
        uid = pwd.getpwnam(options.user).pw_uid
        listener = socket.socket(fileno=_FIRST_PASSED_DESCRIPTOR)
    except (KeyError, OSError) as error:
        sys.stderr.write(f"no account {options.user}, or not started by its socket: {error}\n")
        return 1
    with listener:
        serve_one(
            listener,
            uid=uid,
            answer=lambda request: answer_to(
                request,
                programs=options.program or PROGRAMS,
                deadline_s=options.deadline_s,
                monotonic_ms=SystemClock().monotonic_ms,
                owner=os.geteuid(),
            ),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
