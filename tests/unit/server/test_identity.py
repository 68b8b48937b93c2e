"""Which chip it is: PDI before UUID."""

from chipledger_server.domain.identity import Known, resolve


def test_a_chip_never_seen_is_new_and_learns_both_names() -> None:
    """Both aliases name it from now on."""
    answer = resolve("p1", "u1", Known())
    assert (answer.chip, answer.learn, answer.changed) == (
        None,
        (("pdi", "p1"), ("uuid", "u1")),
        None,
    )


def test_a_driver_upgrade_that_adds_the_pdi_leaves_the_chip_the_same() -> None:
    """The UUID finds it, the PDI is learnt."""
    answer = resolve("p1", "u1", Known(by_uuid=7))
    assert (answer.chip, answer.learn, answer.changed) == (7, (("pdi", "p1"),), None)


def test_an_older_driver_finds_the_chip_by_its_uuid() -> None:
    """Losing the PDI is no change of identity."""
    answer = resolve(None, "u1", Known(by_uuid=7, pdis_of_uuid=frozenset({"p1"})))
    assert (answer.chip, answer.learn, answer.changed) == (7, (), None)


def test_a_pdi_with_another_uuid_is_the_chip_of_the_pdi_and_a_change() -> None:
    """The fused identity decides, and the change is said."""
    answer = resolve("p1", "u2", Known(by_pdi=7, uuids_of_pdi=frozenset({"u1"})))
    assert answer.chip == 7
    assert answer.learn == (("uuid", "u2"),)
    assert answer.changed is not None


def test_a_uuid_with_another_pdi_is_another_chip_and_a_change() -> None:
    """A copied UUID does not make two chips one."""
    answer = resolve("p2", "u1", Known(by_uuid=7, pdis_of_uuid=frozenset({"p1"})))
    assert answer.chip is None
    assert answer.learn == (("pdi", "p2"),)
    assert answer.changed is not None


def test_two_known_chips_under_one_pair_stay_two() -> None:
    """The UUID keeps naming the chip it named before."""
    known = Known(
        by_pdi=7, by_uuid=8, uuids_of_pdi=frozenset({"u1"}), pdis_of_uuid=frozenset({"p2"})
    )
    answer = resolve("p1", "u2", known)
    assert (answer.chip, answer.learn) == (7, ())
    assert answer.changed is not None
