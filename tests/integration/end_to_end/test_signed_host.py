"""The shipped agent on a host whose chips sign, against the real collector: from NVML to G3."""

import hashlib
import time
from functools import partial
from pathlib import Path

import msgspec

from chipledger_agent import wiring
from chipledger_agent.cli import main
from chipledger_agent.cli.exits import Exit
from chipledger_testing.collector_process import running
from chipledger_testing.commands import Commands
from chipledger_testing.gpu_pki import PKI, spki
from chipledger_testing.nvml import host_of, write_machine
from chipledger_testing.nvml.child import mock_command
from chipledger_testing.nvml.evidence_child import mock_evidence_command
from chipledger_testing.nvml.signing import with_signing_chips

JUDGED_S = 30


def test_a_host_under_confidential_computing_counts_at_g3(tmp_path: Path) -> None:
    """One report, one round; eight chips stand as signed in the site's balance."""
    roots = tmp_path / "roots"
    roots.write_text(hashlib.sha256(spki(PKI.root.key)).hexdigest() + "\n")
    settings = f'[evidence]\ntest_roots_file = "{roots}"\n'
    with running(tmp_path, settings) as collector:
        commands = Commands(tmp_path)
        commands.site("johor")
        code = commands.done(
            "code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h"
        )
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        _report(tmp_path / "host", url=f"http://127.0.0.1:{collector.port}", code=code)

        deadline = time.monotonic() + JUDGED_S
        present: dict[str, int] = {}
        while time.monotonic() < deadline and present.get("G3") != 8:
            time.sleep(0.1)
            reply = collector.request(
                "GET", "/api/v1/sites/johor/balance", None, {"authorization": f"Bearer {token}"}
            )
            rows = msgspec.json.decode(reply.body)["report"]["rows"]
            present = rows[0]["present"] if rows else {}

    assert present == {"G1": 0, "G2": 0, "G3": 8, "G4": 0}


def _report(folder: Path, *, url: str, code: str) -> None:
    """Enrol a simulated host and let its agent report once."""
    folder.mkdir()
    machine = with_signing_chips(host_of("hgx-h100", seed="signed"))
    path = write_machine(machine, folder / "machine.json")
    (folder / "code").write_text(code)
    (folder / "agent.toml").write_text(
        f'state_dir = "{folder}/state"\n[collector]\nurl = "{url}"\n[evidence]\nnvml = true\n'
    )
    build = partial(
        wiring.build,
        scan_child=mock_command(path),
        evidence_child=mock_evidence_command(path),
        environ={},
    )
    common = ["--config", str(folder / "agent.toml")]
    enrolled = main([*common, "enroll", "--code-file", str(folder / "code")], build=build)
    assert Exit(enrolled) is Exit.OK
    assert Exit(main([*common, "once"], build=build)) is Exit.OK
