"""Entering events in a real browser: an operator receives a shipment, and imports a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser

MODEL = "H100-SXM5-80GB"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Return a collector with a site, a declared shipment and a receipt that was corrected."""
    folder = tmp_path_factory.mktemp("entering")
    with running(folder) as collector:
        commands = Commands(folder)
        commands.site("johor")
        commands.site("muar", owner="newco")
        commands.done("receive", "--site", "johor", "--sku", MODEL, "--pieces", "12")
        yield collector


@pytest.fixture(scope="module")
def operator(ledger: CollectorProcess) -> str:
    """Return the token of Johor's operator."""
    commands = Commands(ledger.folder)
    return commands.done(
        "principal", "add", "omar", "--role", "operator", "--site", "johor"
    ).strip()


@pytest.fixture(params=["light", "dark", "narrow"])
def page(
    request: pytest.FixtureRequest, browser: Browser, ledger: CollectorProcess, operator: str
) -> Iterator[Page]:
    """Return a tab in which the operator is logged in, at the ledger."""
    context = browser.new_context(
        color_scheme="dark" if request.param == "dark" else "light",
        viewport={"width": 420 if request.param == "narrow" else 1360, "height": 900},
        base_url=f"http://127.0.0.1:{ledger.port}",
    )
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda message: faults.append(message.text))
    made.goto("/login?next=/ledger")
    made.get_by_label("Your token").fill(operator)
    made.get_by_role("button", name="Log in").click()
    expect(made.get_by_role("heading", level=1)).to_have_text("Ledger")
    yield made
    # A page that says what is wrong is answered with 422, and the browser notes that.
    assert [fault for fault in faults if "422" not in fault] == []
    context.close()


@pytest.fixture
def shipment(ledger: CollectorProcess, request: pytest.FixtureRequest) -> str:
    """Return the id of a shipment that was declared to Johor, another one for each test."""
    commands = Commands(ledger.folder)
    name = f"SRV-{request.node.name.rsplit('[')[-1].strip(']')}"
    event = {
        "type": "shipment-declared",
        "occurred_at_ms": 1772323200000,
        "site": "johor",
        "shipper": "vendor-x",
        "shipment": name,
        "lines": [{"by": "unit", "model": "HGX-H100-8", "serials": [f"{name}-1", f"{name}-2"]}],
    }
    file = commands.file("shipment.json", event)
    said = commands.answer("event", "add", file, "--as", "shipper", "--party", "vendor-x")
    return str(said["id"])


def test_an_operator_receives_a_declared_shipment(page: Page, shipment: str) -> None:
    """From its page, through a mistake, to what would change, to the entered event."""
    page.goto(f"/events/{shipment}")
    page.get_by_role("link", name="Receive it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Receipt")
    expect(page.get_by_label("Shipper")).to_have_value("vendor-x")
    expect(page.get_by_text("60 days")).to_be_visible()
    _fits(page)
    page.get_by_label("Happened").fill("the day before yesterday")
    page.get_by_role("button", name="Show what it would change").click()
    expect(page.get_by_role("alert")).to_contain_text("1 problem: nothing was entered")
    expect(page.get_by_label("Happened")).to_have_value("the day before yesterday")
    _fits(page)
    page.get_by_label("Happened").fill("2026-03-20")
    page.get_by_role("button", name="Show what it would change").click()
    expect(page.get_by_role("row", name=MODEL)).to_contain_text("+16")
    expect(page.get_by_text("in a session, not signed")).to_be_visible()
    _fits(page)
    page.get_by_role("button", name="Enter it").click()
    expect(page.get_by_role("status")).to_have_text("Entered.")
    expect(page.get_by_text("entered in a session, not signed, by omar")).to_be_visible()
    page.goto("/ledger?kind=received&party=vendor-x")
    expect(page.get_by_role("link", name="received").first).to_be_visible()
    _fits(page)


def test_what_was_shown_can_be_changed_before_it_is_entered(page: Page) -> None:
    """The form comes back with all that was typed; another line needs no script."""
    page.get_by_role("link", name="Enter an event").click()
    page.get_by_role("link", name="Receipt", exact=True).click()
    page.get_by_label("Model").select_option(MODEL)
    page.get_by_label("Number without names").fill("3")
    page.get_by_role("button", name="Add a line").click()
    expect(page.get_by_role("group", name="Line 2")).to_be_visible()
    page.get_by_role("button", name="Show what it would change").click()
    expect(page.get_by_role("row", name=MODEL)).to_contain_text("+3")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_label("Number without names").first).to_have_value("3")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")


def test_a_file_is_tried_mended_and_entered(page: Page, tmp_path: Path, shipment: str) -> None:
    """Every problem by row; then all of it in one go; then it is known."""
    head = "kind,happened,site,shipment,sku,serial\n"
    rows = f"received,2026-03-01,johor,F{shipment[:8]},{MODEL},B{shipment[:6].strip('-_')}x\n"
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text(head + rows + "received,2026-03-01,muar,F,H900,<S2>\n", "utf-8")
    good.write_text(head + rows, "utf-8")
    page.get_by_role("link", name="Import a file").click()
    _fits(page)
    page.get_by_label("CSV, or JSON").set_input_files(bad)
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was entered")
    expect(page.get_by_role("row", name="3 serial")).to_contain_text("<S2>")
    _fits(page)
    page.get_by_label("CSV, or JSON").set_input_files(good)
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("status")).to_contain_text("1 event would be entered")
    page.get_by_role("button", name="Enter all of it").click()
    expect(page.get_by_role("status")).to_contain_text("1 event entered")
    _fits(page)


def test_the_keyboard_is_enough_to_enter(page: Page) -> None:
    """Every field of a form has a label, and the buttons come after them."""
    page.goto("/ledger/new/maintenance-window")
    page.get_by_label("Site").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "hosts"
    unlabelled = "[...document.querySelectorAll('form.entry [name]:not([type=hidden])')]"
    count = page.evaluate(
        f"{unlabelled}.filter(e => e.tagName != 'BUTTON' && !e.labels.length).length"
    )
    assert count == 0


def _fits(page: Page) -> None:
    """Assert that the page itself never scrolls sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
