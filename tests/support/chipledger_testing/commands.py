"""The administrator's commands, run in this process on a database of their own."""

import contextlib
import io
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from chipledger_server.adapters.database import open_engine
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.cli import main
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import Hand

CONFIG = """
[collector]
name = "commands.example"
[database]
path = "{folder}/collector.sqlite"
[secrets]
nonce_key_file = "{folder}/nonce.key"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command left behind: exit status and both outputs."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """What it answered with --json."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Commands:
    """One collector's command line.

    Attributes:
        folder: home of its files.
    """

    folder: Path

    def initialise(self) -> str:
        """Make the collector and return its administrator's token."""
        (self.folder / "server.toml").write_text(CONFIG.format(folder=self.folder), "utf-8")
        return self.done("init").strip()

    def run(self, *arguments: str) -> Ran:
        """Run one command."""
        out, err = io.StringIO(), io.StringIO()
        argv = ["--config", str(self.folder / "server.toml"), *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(argv)
        return Ran(status=status, out=out.getvalue(), err=err.getvalue())

    def done(self, *arguments: str) -> str:
        """Run one command that must succeed, and return what it printed."""
        ran = self.run(*arguments)
        assert ran.status == 0, ran.err
        return ran.out

    def answer(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        """Run one command with --json, and return its answer."""
        return json.loads(self.done(*arguments, "--json"))

    def file(self, name: str, content: str | bytes | dict[str, Any]) -> str:
        """Write a file beside the database and return its path."""
        path = self.folder / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def site(self, name: str, *, country: str = "MY", owner: str = "acme") -> None:
        """Declare a test site, run and owned by one party."""
        party = f"{owner}:{owner.title()}:{country}"
        flags = ("--operator", party, "--consignee", party, "--parent", party)
        about = ("--id", name, "--name", name.title(), "--country", country)
        self.done("site", "add", *about, *flags, "--test")

    def correct(self, correction: dict[str, Any]) -> None:
        """Enter a correction here, and let another person agree to it."""
        made = self.answer("event", "add", self.file("undo.json", correction))
        engine = self.database()
        at_ms = int(time.time() * 1000)
        second = Hand(principal="second", now_ms=at_ms, entropy=secrets.token_bytes)
        agree(made["id"], SqlLedger(engine), second, carrier=None)
        engine.dispose()

    def database(self) -> Engine:
        """Open its database, to look at what was written."""
        return open_engine(self.folder / "collector.sqlite")
