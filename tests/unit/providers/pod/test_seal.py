"""An agent obeys its control plane alone, for itself, and once."""

import pytest

from dayfly.providers.pod.seal import AgentKey, ControlKey, Frames, SealBroken

CONTROL = ControlKey(b"an installation's secret")
CHALLENGE = b"c" * 32


def test_what_the_control_plane_opened_the_agent_accepts() -> None:
    agent = AgentKey(CONTROL.public)
    opening, key = CONTROL.open(agent.public, CHALLENGE)
    assert agent.accept(opening, CHALLENGE) == key
    assert key not in opening


def test_the_key_pair_is_the_secrets() -> None:
    assert ControlKey(b"an installation's secret").public == CONTROL.public
    assert ControlKey(b"another's").public != CONTROL.public


def test_an_opening_is_no_use_elsewhere_or_again() -> None:
    agent, other = AgentKey(CONTROL.public), AgentKey(CONTROL.public)
    opening, _ = CONTROL.open(agent.public, CHALLENGE)
    for who, challenge, told in ((other, CHALLENGE, "for this pod"), (agent, b"d" * 32, "another connection")):
        with pytest.raises(SealBroken, match=told):
            who.accept(opening, challenge)


def test_what_a_pod_knows_opens_no_other_pod() -> None:
    """It knows both public keys, and a private one of its own."""
    victim = AgentKey(CONTROL.public)
    opening, _ = ControlKey(b"a guess").open(victim.public, CHALLENGE)
    with pytest.raises(SealBroken, match="not made by this installation's control plane"):
        victim.accept(opening, CHALLENGE)
    for nonsense in (b"", b"x" * 200, opening[:-1], bytes([opening[0] ^ 1]) + opening[1:]):
        with pytest.raises(SealBroken):
            victim.accept(nonsense, CHALLENGE)


@pytest.mark.parametrize("key", ["", "not hexadecimal", "00", "00" * 31])
def test_a_key_that_is_none_is_said_so(key: str) -> None:
    with pytest.raises(SealBroken, match="cannot be used"):
        CONTROL.open(key, CHALLENGE)


def test_frames_are_read_in_their_order_and_direction_only() -> None:
    control, agent = Frames(b"k" * 32, is_agent=False), Frames(b"k" * 32, is_agent=True)
    first, _second, third = (control.seal(text) for text in (b"one", b"two", b"three"))
    with pytest.raises(SealBroken):
        Frames(b"k" * 32, is_agent=False).unseal(first)  # its own words come back
    assert agent.unseal(first) == b"one"
    with pytest.raises(SealBroken, match="changed, repeated or left out"):
        agent.unseal(first)  # repeated
    assert agent.unseal(third) == b"three"  # its number is the one due
    answer = agent.seal(b"yes")
    with pytest.raises(SealBroken):
        Frames(b"k" * 32, is_agent=False).unseal(answer[:-1] + bytes([answer[-1] ^ 1]))
    assert Frames(b"k" * 32, is_agent=False).unseal(answer) == b"yes"
