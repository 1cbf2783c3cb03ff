"""What goes on beside a scenario: it ends with its block, and does not hide what broke it."""

import threading

import pytest
from chaos.background import Background


class Steps(Background):
    def __init__(self, last: int) -> None:
        super().__init__("steps")
        self.taken = 0
        self.over = threading.Event()
        self._last = last

    def step(self) -> None:
        self.taken += 1
        if self.taken >= self._last:
            self.over.set()
            if self._last == 2:
                raise ValueError("the second step broke")


def test_steps_are_taken_until_the_end_of_the_block() -> None:
    with Steps(5) as steps:
        assert steps.over.wait(60)
    taken = steps.taken
    assert taken >= 5
    assert not [thread for thread in threading.enumerate() if thread.name == "steps"]


def test_what_breaks_a_step_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match="second step"), Steps(2) as steps:
        assert steps.over.wait(60)
    assert steps.taken == 2
