"""Doctored ledgers of changes: what was acknowledged must be there, what was only asked for may be."""

from chaos.checker import Wanted, possible_states, state_lost
from chaos.ledger import Acknowledged, Asked, Refused
from tests.unit.chaos.conftest import Write


def deploy(number: int, version: str) -> Asked:
    return Asked(number, "deploy", "f", 0.0, version)


def scale(number: int, replicas: int) -> Asked:
    return Asked(number, "scale", "f", 0.0, str(replicas))


def remove(number: int) -> Asked:
    return Asked(number, "remove", "f", 0.0)


def done(number: int, revision: int = 0) -> Acknowledged:
    return Acknowledged(number, 0.0, revision)


def test_the_last_acknowledged_deployment_is_what_must_be(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), deploy(2, "b"), done(2, 2)))
    assert states == {"f": [Wanted("b", 2)]}
    assert state_lost(states, {"f": Wanted("b", 2)}, replicas=True) == []


def test_a_lost_deployment_is_found(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), deploy(2, "b"), done(2, 2)))
    assert len(state_lost(states, {"f": Wanted("a", 1)}, replicas=True)) == 1
    assert len(state_lost(states, {}, replicas=True)) == 1
    assert len(state_lost(states, {"f": Wanted("b", 3)}, replicas=True)) == 1, "another revision than was told"


def test_a_lost_scaling_is_found_where_replicas_are_looked_at(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), scale(2, 3), done(2)))
    assert state_lost(states, {"f": Wanted("a", 1, 3)}, replicas=True) == []
    assert len(state_lost(states, {"f": Wanted("a", 1, None)}, replicas=True)) == 1
    assert state_lost(states, {"f": Wanted("a", 1, None)}, replicas=False) == []


def test_a_deployment_clears_the_number_of_replicas(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), scale(2, 3), done(2), deploy(3, "b"), done(3, 2)))
    assert states == {"f": [Wanted("b", 2, None)]}


def test_a_removed_function_that_is_back_is_found(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), remove(2), done(2)))
    assert state_lost(states, {}, replicas=True) == []
    assert len(state_lost(states, {"f": Wanted("a", 1)}, replicas=True)) == 1


def test_what_was_never_answered_may_have_happened_or_not(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), done(1, 1), deploy(2, "b"), remove(3), Refused(3, 0.0, "away")))
    for real in (Wanted("a", 1), Wanted("b", 2), Wanted(None)):
        found = {} if real.version is None else {"f": real}
        assert state_lost(states, found, replicas=True) == []
    assert len(state_lost(states, {"f": Wanted("c", 2)}, replicas=True)) == 1


def test_what_was_certainly_refused_did_not_happen(write: Write) -> None:
    states = possible_states(write(remove(1), Refused(1, 0.0, "there is none", certain=True)))
    assert states == {"f": [Wanted(None)]}
    assert len(state_lost(states, {"f": Wanted("a", 1)}, replicas=True)) == 1


def test_an_acknowledgement_settles_what_was_open_before(write: Write) -> None:
    states = possible_states(write(deploy(1, "a"), deploy(2, "b"), done(2, 1)))
    assert states == {"f": [Wanted("b", 1)]}


def test_scaling_what_may_not_be_there_changes_nothing(write: Write) -> None:
    assert possible_states(write(scale(1, 2)))["f"] == [Wanted(None)]
