"""A service manager's socket in small: `python -m chipledger_testing.activation SOCKET -- …`.

Listens, and starts the command behind ``--`` once for each connection, one at a time, with the
listening socket as its descriptor 3, as a socket unit with ``Accept=no`` does.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

_FIRST_PASSED = 3
_USAGE = 2


def main(argv: Sequence[str]) -> int:
    """Listen until SIGTERM; return 0 then."""
    match list(argv):
        case [path, "--", *command] if command:
            signal.signal(signal.SIGTERM, _leave)
            signal.signal(signal.SIGINT, _leave)
            with socket.socket(socket.AF_UNIX) as listener:
                Path(path).unlink(missing_ok=True)
                old = os.umask(0o177)
                listener.bind(path)
                os.umask(old)
                listener.listen()
                while True:
                    select.select([listener], [], [])
                    _serve_once(listener, command)
        case _:
            sys.stderr.write("usage: chipledger_testing.activation SOCKET -- COMMAND…\n")
            return _USAGE


def _serve_once(listener: socket.socket, command: Sequence[str]) -> None:
    """Run the command to its end; a connection that it leaves starts it again."""
    if listener.fileno() != _FIRST_PASSED:
        os.dup2(listener.fileno(), _FIRST_PASSED)
    with subprocess.Popen(command, pass_fds=(_FIRST_PASSED,)) as service:
        try:
            service.wait()
        except SystemExit:
            service.terminate()
            raise


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
