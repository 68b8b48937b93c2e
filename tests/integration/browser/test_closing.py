"""Closing a period in a real browser: two people, then a late paper and its restatement."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from chipledger_testing.collector_process import CollectorProcess
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser


@contextmanager
def visitor(browser: Browser, collector: CollectorProcess, token: str) -> Iterator[Page]:
    """Give a tab of somebody who pasted a token; what it complained about fails the test."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: _note(errors, message))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{collector.port}/")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sites")
    yield page
    context.close()
    assert errors == []


def _note(errors: list[str], message: ConsoleMessage) -> None:
    """Keep a complaint, unless it is of the icon that a report, being whole in itself, lacks."""
    if not message.location["url"].endswith("/favicon.ico"):
        errors.append(message.text)


def test_two_people_close_a_period_and_a_late_paper_restates_it(
    browser: Browser, collector: CollectorProcess, auditor: str
) -> None:
    """Freeze and sign as operator, sign as auditor, print the report; then the late event."""
    commands = Commands(collector.folder)
    operator = ("principal", "add", "olga", "--role", "operator", "--site", "johor")
    olga = commands.done(*operator).strip()
    yesterday = (datetime.now(tz=UTC) - timedelta(days=1)).date().isoformat()
    with visitor(browser, collector, olga) as page:
        page.goto(f"http://127.0.0.1:{collector.port}/sites/johor")
        page.get_by_role("link", name="Periods and reports").click()
        page.get_by_label("First day").fill(yesterday)
        page.get_by_label("Last day").fill(yesterday)
        page.get_by_role("button", name="Freeze").click()
        expect(page.get_by_text("An operator of the site has not signed.")).to_be_visible()
        address = page.url
        page.get_by_role("button", name="Sign off as operator").click()
        expect(page.get_by_text("has not signed")).to_have_count(1)
        expect(page.get_by_role("button", name="Sign off as operator")).to_have_count(0)
    with visitor(browser, collector, auditor) as page:
        page.goto(address)
        page.get_by_role("button", name="Sign off as auditor").click()
        expect(page.locator("li.reached")).to_have_count(3)
        page.get_by_role("link", name="Page").first.click()
        expect(page.get_by_text("Closed: signed by operator and auditor")).to_be_visible()
        expect(page.get_by_role("heading", name="What this cannot see")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('dl')).display") == "grid"
        assert page.pdf().startswith(b"%PDF")
    arrived = ("--sku", "H200-SXM-141GB", "--pieces", "2", "--at", f"{yesterday}T10:00:00Z")
    commands.done("receive", "--site", "johor", *arrived)
    with visitor(browser, collector, olga) as page:
        page.goto(address)
        expect(page.get_by_text("it has to be restated")).to_be_visible()
        page.get_by_label("Why it is restated").fill("the delivery note came late")
        page.get_by_role("button", name="Restate").click()
        expect(page.get_by_text("received was 0, is 2 (+2)")).to_be_visible()
        expect(page.get_by_text("restatement 1").first).to_be_visible()
        expect(page.get_by_text("a newer version stands")).to_be_visible()
