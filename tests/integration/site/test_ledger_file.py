"""What the ledger hands out as a file, and what a machine declares of itself by upload."""

import csv
import io

import msgspec
import pytest

from chipledger_book.events import Correction, event_id
from chipledger_book.imports.csv_rows import read_csv
from chipledger_server.usecases.access import Role
from chipledger_testing.book import NOW, declared, ms, party, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

WRONG = received(99, at=ms(2026, 4))
UNDO = Correction(occurred_at_ms=ms(2026, 4, 2), corrects=event_id(WRONG), reason="=1+1")
GPU = b"<gpu id='00000000:18:00.0'><product_name>NVIDIA H100</product_name></gpu>"
DOCUMENT = b"<nvidia_smi_log><attached_gpus>1</attached_gpus>%s</nvidia_smi_log>" % GPU


@pytest.fixture
def told(scene: Scene) -> Scene:
    """Return a ledger of two sites, with a correction that waits."""
    scene.enter(declared(), declared(site_of("muar", owner=party("newco"))))
    scene.enter(received(8), WRONG, UNDO)
    return scene


def test_a_table_holds_what_the_filter_shows_and_names_the_question(
    door: Door, told: Scene
) -> None:
    """Rows that begin with # say what was asked of what; the rest reads back to the same events."""
    answer = door.page("/ledger/download?form=csv&site=johor")
    rows = list(csv.reader(io.StringIO(answer.text)))
    head = [row for row in rows if row[0].startswith("#")]
    names = dict(row[:2] for row in head)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert names["# filters"] == "site=johor"
    assert {"# as_of", "# known_at", "# software", "# collector", "# table"} <= names.keys()
    assert ["# correction proposed", event_id(WRONG), event_id(UNDO)] in head
    assert any(row[0] == "# in the JSON file alone" and row[2] == "site-declared" for row in head)
    table = answer.text.split("\r\n# in the JSON")[-1].split("\r\n", 1)[1]
    read = read_csv(table.encode())
    assert {event_id(one.event) for one in read.drafts} == {
        event_id(one) for one in (received(8), WRONG, UNDO)
    }
    assert "muar" not in answer.text
    assert told.now_ms


def test_the_json_file_holds_records_and_statements(door: Door, told: Scene) -> None:
    """Everything, also what fits no table; at another time what was known then."""
    answer = door.page("/ledger/download?form=json")
    file = msgspec.json.decode(answer.content)
    assert file["head"]["format"] == "chipledger-ledger-1"
    assert len(file["events"]) == 5
    (wrong,) = (one for one in file["events"] if one["id"] == event_id(WRONG))
    assert wrong["corrections_proposed"] == [event_id(UNDO)]
    assert wrong["record"]["event"]["lines"][0]["pieces"] == 99
    assert "not signed" in wrong["statements"][0]["words"]
    early = msgspec.json.decode(door.page("/ledger/download?form=json&known_at=2026-01-01").content)
    assert early["events"] == []
    assert told.now_ms == NOW


def test_a_file_stays_within_a_scope(door: Door, told: Scene) -> None:
    """An operator gets its own sites, and no other on demand."""
    session = door.log_in(door.token(Role.OPERATOR, "johor"))
    assert "muar" not in door.page("/ledger/download?form=json", session=session).text
    page = door.page("/ledger/download?form=json&site=muar", session=session)
    assert page.status_code == 403
    assert door.page("/ledger/download?form=exe").status_code == 400
    assert told.now_ms


def test_an_uploaded_document_is_declared_and_fills_no_hole(door: Door, told: Scene) -> None:
    """Its chips stand in a column of their own."""
    session = door.log_in(door.token(Role.OPERATOR, "johor"))
    assert "It fills no hole" in text_of(door.page("/ledger/import", session=session))
    before = door.read("/sites/johor/balance")["report"]["rows"][0]["unaccounted"]
    path, form = "/ledger/import/nvidia-smi", {"site": "johor", "label": "rack-1"}
    done = door.post(path, form, session=session, file=("smi.xml", DOCUMENT))
    assert done.status_code == 303, text_of(done)
    says = text_of(door.page(done.headers["location"], session=session))
    assert "Declared inventory" in says
    rows = door.read("/sites/johor/balance")["report"]["rows"]
    assert rows[0]["unaccounted"] == before
    foreign = door.post(path, {"site": "muar"}, session=session, file=("smi.xml", DOCUMENT))
    assert foreign.status_code == 403
    assert door.post(path, form, session=session).status_code == 400
    broken = door.post(path, form, session=session, file=("smi.xml", b"<x"))
    assert broken.status_code == 400
    auditor = door.log_in(door.token(Role.AUDITOR))
    assert "It fills no hole" not in text_of(door.page("/ledger/import", session=auditor))
    assert told.now_ms
