"""Two persons in real browsers: one finds the correction that waits, and agrees to it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("CHIPLEDGER_SHOTS")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Return a collector with a receipt, and a correction of it that waits."""
    folder = tmp_path_factory.mktemp("corrections")
    with running(folder) as collector:
        commands = Commands(folder)
        commands.site("johor")
        receipt = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "12")
        made = commands.answer(*receipt)
        undo = {
            "type": "correction",
            "occurred_at_ms": made["event"]["occurred_at_ms"],
            "corrects": made["id"],
            "reason": "the papers were of another truck",
        }
        commands.done("event", "add", commands.file("undo.json", undo))
        yield collector


@pytest.fixture(params=["light", "narrow"])
def page(
    request: pytest.FixtureRequest, browser: Browser, ledger: CollectorProcess
) -> Iterator[Page]:
    """Return a tab in which an auditor is logged in, at the ledger."""
    name = f"ada-{request.param}"
    token = Commands(ledger.folder).done("principal", "add", name, "--role", "auditor").strip()
    context = browser.new_context(
        viewport={"width": 420 if request.param == "narrow" else 1360, "height": 900},
        base_url=f"http://127.0.0.1:{ledger.port}",
    )
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda message: faults.append(message.text))
    made.goto("/login?next=/ledger")
    made.get_by_label("Your token").fill(token)
    made.get_by_role("button", name="Log in").click()
    yield made
    assert faults == []
    context.close()


def look(page: Page, name: str) -> None:
    """Keep a picture, where somebody wants to look at it; nothing is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    if SHOTS:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


def test_a_second_person_agrees_on_the_page_of_the_event(page: Page) -> None:
    """The first browser agrees; the second one finds it done, and the keys' page empty."""
    look(page, "ledger")
    page.get_by_role("link", name="received", exact=True).first.click()
    look(page, "event")
    expect(page.get_by_role("heading", level=1)).to_have_text("Received")
    agrees = page.get_by_role("button", name="Agree")
    if agrees.count():
        agrees.first.click()
        expect(page.get_by_role("status")).to_contain_text("two persons stand behind it")
        look(page, "agreed")
    else:
        expect(page.locator("del")).to_be_visible()
    page.goto("/parties")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys of parties")
    look(page, "parties")
