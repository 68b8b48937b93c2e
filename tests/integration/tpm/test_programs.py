"""The programs themselves: agent and collector as processes, a host's key moving into its TPM."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chipledger_book.events import SiteDeclared
from chipledger_book.parties import Party, Site
from chipledger_testing.nvml.profiles import host_of
from chipledger_testing.stage import Stage

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm

pytestmark = pytest.mark.tpm

Plug = Callable[..., "SoftwareTpm"]
OWNER = Party(id="owner", name="Owner", headquarters="MY")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A running collector with one test site."""
    stage = Stage(folder=tmp_path / "stage", silence_s=3600)
    stage.folder.mkdir()
    try:
        stage.start_collector()
        site = Site(
            id="tpm-1",
            name="TPMs",
            country="MY",
            operator=OWNER,
            consignee=OWNER,
            ultimate_parent=OWNER,
            test=True,
        )
        stage.enter("site", SiteDeclared(occurred_at_ms=1_767_225_600_000, site=site))
        yield stage
    finally:
        stage.stop_all()


def token(stage: Stage, name: str, role: str) -> str:
    """Return the file of a new principal's token."""
    made = stage.server("principal", "add", name, "--role", role).split()[-1]
    return str(stage.write(f"token-{name}", made + "\n"))


@pytest.mark.timeout(180)
def test_a_host_moves_into_its_tpm_and_is_retired_by_two_people(stage: Stage, plug: Plug) -> None:
    """Enrol, rotate into the TPM, report, and end, all by the commands of the documentation."""
    machine = host_of("l40s", seed="a")
    file = stage.enrol("a", "tpm-1", machine)
    assert json.loads(stage.agent("a", file, "once", "--json"))["stored"]
    tcti = plug("a").tcti
    (stage.folder / "a" / "conf.d").mkdir()
    stage.write("a/conf.d/tpm.toml", f'[key]\nstore = "tpm"\ntpm = "{tcti}"\n')

    rotated = json.loads(stage.agent("a", file, "rotate", "--json"))
    assert rotated["tier"] == "tpm-noek"
    assert not (stage.folder / "a" / "state" / "key.pem").exists()
    assert json.loads(stage.agent("a", file, "once", "--json"))["stored"]
    status = json.loads(stage.agent("a", file, "status", "--json"))
    assert (status["key"], status["tier"]) == (rotated["kid"], "tpm-noek")

    host, auditor = rotated["host"], token(stage, "audrey", "auditor")
    reader = Path(auditor).read_text("ascii").strip()
    shown = stage.get(f"/api/v1/hosts/{host}", reader)
    assert [key["ek_certificate"] for key in shown["keys"]] == [None, "unknown-issuer"]
    proposal = stage.server(
        *("host", "propose", host, "retire", "--reason", "sold"),
        *("--token-file", token(stage, "adam", "administrator")),
    ).strip()
    stage.server("host", "approve", proposal, "--token-file", auditor)
    stage.wait(
        "the retirement",
        lambda: stage.get(f"/api/v1/hosts/{host}", reader)["host"]["state"] == "retired",
    )
