"""Tokens: one that was handed out lets in whom it says, until it is over; its text is kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.control.tokens import Tokens
from dayfly.model.errors import InvalidSpec, NotFound, StoreUnavailable
from dayfly.model.names import parse_namespace
from dayfly.model.namespace import Namespace
from dayfly.model.token import TokenRequest
from dayfly.storage.memory_tenancy import MemoryTenancy

TEAM, OTHER = parse_namespace("team"), parse_namespace("other")
KEY = b"k" * 32
DEPLOY = TokenRequest(role="deploy", note="for the pipeline")


class Rig:
    def __init__(self) -> None:
        self.broken = ""
        self.clock = ManualClock()
        self.store = MemoryTenancy(lambda: self.broken)
        self.tokens = self.again()

    def again(self, key: bytes = KEY) -> Tokens:
        return Tokens(self.store, key, self.clock)


def play(story: Callable[[Rig], Awaitable[Any]]) -> None:
    async def main() -> None:
        rig = Rig()
        for namespace in (TEAM, OTHER):
            await rig.store.put_namespace(Namespace(name=namespace))
        await rig.tokens.open()
        await story(rig)

    asyncio.run(main())


def test_a_token_lets_in_whom_it_says_also_after_a_restart() -> None:
    async def story(rig: Rig) -> None:
        made = await rig.tokens.issue(TEAM, DEPLOY)
        everywhere = await rig.tokens.issue(None, TokenRequest(role="view"))
        for tokens in (rig.tokens, rig.again()):
            await tokens.open()
            found = tokens.find(made.token)
            assert found is not None
            assert (found.name, found.role, found.namespace) == (f"token {made.status.id}", "deploy", TEAM)
            other = tokens.find(everywhere.token)
            assert other is not None
            assert (other.role, other.namespace) == ("view", None)

    play(story)


def test_neither_a_wrong_secret_nor_another_tokens_nor_another_key_lets_in() -> None:
    async def story(rig: Rig) -> None:
        one, two = await rig.tokens.issue(TEAM, DEPLOY), await rig.tokens.issue(TEAM, DEPLOY)
        swapped = f"dayfly_{one.status.id}_{two.token[-43:]}"
        last = "A" if one.token[-1] != "A" else "B"
        for text in (one.token[:-1] + last, swapped, one.token[:-1], one.token + "x", one.status.id, "", "dayfly_"):
            assert rig.tokens.find(text) is None, text
        stranger = rig.again(b"x" * 32)
        await stranger.open()
        assert stranger.find(one.token) is None

    play(story)


def test_what_is_kept_holds_neither_the_token_nor_a_hash_that_anybody_could_make() -> None:
    import hashlib

    async def story(rig: Rig) -> None:
        made = await rig.tokens.issue(TEAM, DEPLOY)
        (kept,) = await rig.store.tokens()
        secret = made.token[-43:]
        assert secret not in str(msgspec.to_builtins(kept))
        assert secret not in repr(made)
        guesses = (made.token, secret, made.token.removeprefix("dayfly_"))
        assert kept.hash not in {hashlib.sha256(guess.encode()).digest() for guess in guesses}

    play(story)


def test_a_token_is_good_until_it_expires() -> None:
    async def story(rig: Rig) -> None:
        made = await rig.tokens.issue(TEAM, TokenRequest(role="view", expires="10s"))
        rig.clock.advance(9.9)
        assert rig.tokens.find(made.token)
        rig.clock.advance(0.1)
        assert rig.tokens.find(made.token) is None
        assert rig.tokens.listed(TEAM) == [made.status]

    play(story)


def test_a_revoked_token_is_good_for_nothing_from_that_moment() -> None:
    async def story(rig: Rig) -> None:
        made = await rig.tokens.issue(TEAM, DEPLOY)
        with pytest.raises(NotFound, match="in the namespace other"):
            await rig.tokens.revoke(OTHER, made.status.id)
        assert rig.tokens.find(made.token)
        await rig.tokens.revoke(TEAM, made.status.id)
        assert rig.tokens.find(made.token) is None
        assert await rig.store.tokens() == []
        with pytest.raises(NotFound):
            await rig.tokens.revoke(TEAM, made.status.id)
        second = await rig.tokens.issue(OTHER, DEPLOY)
        await rig.tokens.revoke(None, second.status.id)
        assert rig.tokens.listed(None) == []

    play(story)


def test_a_namespace_sees_its_own_tokens_and_takes_them_with_it() -> None:
    async def story(rig: Rig) -> None:
        mine, other = await rig.tokens.issue(TEAM, DEPLOY), await rig.tokens.issue(OTHER, DEPLOY)
        rig.clock.advance(1)
        everywhere = await rig.tokens.issue(None, DEPLOY)
        assert rig.tokens.listed(TEAM) == [mine.status]
        assert {each.id for each in rig.tokens.listed(None)} == {mine.status.id, other.status.id, everywhere.status.id}
        assert rig.tokens.listed(None)[-1] == everywhere.status
        rig.tokens.forget(TEAM)
        assert rig.tokens.find(mine.token) is None
        assert rig.tokens.find(other.token)
        assert rig.tokens.find(everywhere.token)

    play(story)


def test_a_token_that_could_not_be_kept_was_never_handed_out() -> None:
    async def story(rig: Rig) -> None:
        rig.broken = "disk full"
        with pytest.raises(StoreUnavailable):
            await rig.tokens.issue(TEAM, DEPLOY)
        rig.broken = ""
        assert rig.tokens.listed(None) == []
        with pytest.raises(InvalidSpec):
            await rig.tokens.issue(TEAM, TokenRequest(role="view", expires="soon"))
        made = await rig.tokens.issue(TEAM, DEPLOY)
        rig.broken = "disk full"
        with pytest.raises(StoreUnavailable):
            await rig.tokens.revoke(TEAM, made.status.id)
        assert rig.tokens.find(made.token), "it is still in the store, and would be good again after a restart"

    play(story)


@pytest.mark.parametrize("how", ["revoked", "expired", "forgotten"])
def test_who_listens_is_cut_off_when_the_token_is_over(how: str) -> None:
    async def story(rig: Rig) -> None:
        made = await rig.tokens.issue(TEAM, TokenRequest(role="view", expires="10s"))
        principal = rig.tokens.find(made.token)
        assert principal is not None
        cut: list[str] = []
        rig.tokens.watch(principal, lambda: cut.append("kept"))
        ended = rig.tokens.watch(principal, lambda: cut.append("ended"))
        ended()
        assert cut == []
        if how == "revoked":
            await rig.tokens.revoke(TEAM, made.status.id)
        elif how == "forgotten":
            rig.tokens.forget(TEAM)
        else:
            rig.clock.advance(10)
        assert cut == ["kept"]

    play(story)
