"""The configuration: strict, safe by default, and documented."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from chipledger_server.config import Config, load_config, parse_config
from chipledger_server.domain.codes import Code, ServerError

DOCUMENT = Path(__file__).parents[3] / "docs" / "SERVER.md"


def test_an_empty_file_is_the_defaults() -> None:
    """An absent key is always safe."""
    assert parse_config({}) == Config()


def test_an_unknown_key_is_refused_with_a_suggestion() -> None:
    """A misspelt key never silently means its default."""
    with pytest.raises(ServerError) as caught:
        parse_config({"policy": {"intervall_s": 60}})
    assert caught.value.code is Code.UNKNOWN_CONFIGURATION_KEY
    assert caught.value.hint == "did you mean policy.interval_s?"


def test_an_unknown_section_is_refused() -> None:
    """A misspelt section never silently means all its defaults."""
    with pytest.raises(ServerError) as caught:
        parse_config({"polices": {}})
    assert caught.value.code is Code.UNKNOWN_CONFIGURATION_KEY
    assert caught.value.hint == "did you mean policy?"


@pytest.mark.parametrize(
    "table",
    [
        {"policy": {"interval_s": 0}},
        {"policy": {"interval_s": True}},
        {"policy": {"interval_s": 1.5}},
        {"policy": {"interval_s": "60"}},
        {"listen": {"address": ""}},
        {"listen": {"tls_certificate_file": "/x"}},
        {"policy": 5},
    ],
)
def test_a_value_that_does_not_fit_is_refused(table: dict[str, object]) -> None:
    """Each value has its type and its least."""
    with pytest.raises(ServerError) as caught:
        parse_config(table)
    assert caught.value.code is Code.INVALID_CONFIGURATION


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """A broken file stops the start and names itself."""
    path = tmp_path / "server.toml"
    path.write_text("policy = {", "utf-8")
    with pytest.raises(ServerError) as caught:
        load_config(path)
    assert caught.value.code is Code.INVALID_CONFIGURATION
    assert str(path) in caught.value.detail


def test_silence_is_missed_intervals_and_at_least_an_hour() -> None:
    """Short intervals do not make a host silent within the hour."""
    assert parse_config({"policy": {"interval_s": 60}}).policy.silence_limit_ms == 3_600_000
    assert Config().policy.silence_limit_ms == 3 * 3_600_000
    assert Config().policy.epoch_limit_s == 3 * 3600


def test_the_document_lists_every_key_with_its_default() -> None:
    """docs/SERVER.md and the code say the same, in the same order."""
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    expected = []
    for section in fields(Config):
        for key in fields(section.default_factory):  # type: ignore[arg-type]
            default = "" if key.default is None else f"`{key.default}`"
            expected.append((f"{section.name}.{key.name}", default, key.metadata["doc"]))
    assert rows == expected
