"""docs/INVENTORY.md is what the code says."""

from pathlib import Path

from chipledger_testing.inventory_page import render

PAGE = Path(__file__).parents[2] / "docs" / "INVENTORY.md"


def test_page_is_generated_from_the_code() -> None:
    """A field added to the statement appears in the normative page."""
    assert render() == PAGE.read_text(encoding="utf-8")
