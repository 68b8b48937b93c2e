"""The metrics socket appears once it answers, never before."""

import subprocess
import sys
from pathlib import Path

WATCHED = """
import socket, sys
from pathlib import Path
from chipledger_agent.adapters.metrics import MetricsServer

path = Path(sys.argv[1])
bound = []
sys.addaudithook(lambda event, about: bound.append(about[1]) if event == "socket.bind" else None)
server = MetricsServer(f"unix:{path}", lambda: b"up 1\\n")
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(str(path))
    connection.sendall(b"GET /metrics HTTP/1.0\\r\\n\\r\\n")
    answer = connection.recv(65536) + connection.recv(65536)
server.close()
print(str(path) in bound, b"200 OK" in answer, sorted(item.name for item in path.parent.iterdir()))
"""


def start(path: Path) -> str:
    """Return what a server on a socket does, in a process of its own: hooks cannot be removed."""
    command = [sys.executable, "-c", WATCHED, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_socket_that_can_be_found_can_be_asked(tmp_path: Path) -> None:
    """It is bound under another name, listens, and then takes its place."""
    assert start(tmp_path / "metrics.sock") == "False True ['metrics.sock']"


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    """As after a kill."""
    start(tmp_path / "metrics.sock")

    assert start(tmp_path / "metrics.sock") == "False True ['metrics.sock']"
