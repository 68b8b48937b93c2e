"""A finding's way through the screens: explained, proposed, confirmed; opened by its fact."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from chipledger_book.terms import Severity
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.domain.findings import About
from chipledger_testing.casework import noting_in
from chipledger_testing.collector_process import CollectorProcess
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser
ABOUT = About(kind="missing", subject="johor", site="johor", severity=Severity.HIGH)


@dataclass(slots=True)
class People:
    """Somebody in a browser of their own, by name."""

    browser: Browser
    collector: CollectorProcess
    contexts: list[BrowserContext]

    def page(self, name: str, *role: str) -> Page:
        """Return the page of a new principal who has just logged in."""
        commands = Commands(self.collector.folder)
        token = commands.done("principal", "add", name, "--role", *role).strip()
        context = self.browser.new_context(java_script_enabled=False)
        self.contexts.append(context)
        page = context.new_page()
        page.goto(f"{self.origin}/")
        page.get_by_label("Your token").fill(token)
        page.get_by_role("button", name="Log in").click()
        return page

    @property
    def origin(self) -> str:
        """Address of the collector."""
        return f"http://127.0.0.1:{self.collector.port}"


@pytest.fixture
def people(browser: Browser, collector: CollectorProcess) -> Iterator[People]:
    """Return who can be let in; scripts are off, for no page needs one."""
    made = People(browser, collector, [])
    yield made
    for context in made.contexts:
        context.close()


def fact(collector: CollectorProcess, *, ends: str | None = None) -> str:
    """Open the finding of a fact, or end it."""
    now_ms = SystemClock().now_ms()
    with noting_in(collector.database, system_entropy) as noting:
        if ends is not None:
            noting.resolve(ends, now_ms)
            return ends
        return noting.open(ABOUT, "journey", now_ms, {"pieces": 8, "tpp": 126_592})


def test_operator_explains_one_auditor_proposes_another_confirms_and_the_fact_returns(
    people: People, collector: CollectorProcess, tmp_path: Path
) -> None:
    """Without a script, with a file as evidence, and everything in the trail at the end."""
    key = fact(collector)
    address = f"{people.origin}/findings/{key}"
    paper = tmp_path / "carrier receipt.pdf"
    paper.write_bytes(b"paper")

    olga = people.page("olga-f", "operator", "--site", "johor")
    olga.get_by_role("link", name="Findings").click()
    expect(olga.get_by_role("heading", level=1)).to_have_text("Findings")
    olga.locator(f'input[name="finding"][value="{key}"]').check()
    olga.get_by_role("button", name="Acknowledge those ticked").click()
    olga.goto(address)
    form = olga.locator("details.step", has_text="Explain").first.locator("form")
    form.get_by_label("Explanation").fill("With the vendor, RMA 4711.")
    form.get_by_label("Holds until").fill(_in_days(30))
    form.get_by_label("Papers").set_input_files(paper)
    form.get_by_role("button", name="Explain").click()
    expect(olga.locator(".title .state").first).to_have_text("explained")
    expect(olga.locator(".trail")).to_contain_text("carrier receipt.pdf")

    ada, bert = people.page("ada-f", "auditor"), people.page("bert-f", "auditor")
    ada.goto(address)
    closing = ada.locator("details.step", has=ada.locator('input[value="close"]'))
    closing.locator("summary").click()
    closing.get_by_label("Reason").fill("The vendor's list names all eight.")
    closing.get_by_role("button", name="Close").click()
    expect(ada.locator(".waits")).to_contain_text("proposed to close")
    expect(ada.locator(".others")).to_contain_text("Confirm: another auditor")
    bert.goto(address)
    bert.get_by_role("button", name="Confirm").click()
    expect(bert.locator(".title .state").first).to_have_text("closed")

    fact(collector, ends=key)
    assert fact(collector) == key
    bert.goto(address)
    expect(bert.locator(".title .state").first).to_have_text("open")
    expect(bert.locator(".trail > li").first).to_contain_text("the fact returned")


def _in_days(days: int) -> str:
    """Return a day that many days from now, as a date field takes it."""
    now = datetime.fromtimestamp(SystemClock().now_ms() // 1000, UTC)
    return f"{now + timedelta(days):%Y-%m-%d}"
