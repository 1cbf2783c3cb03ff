"""A small assembler for seccomp's filter language: classic BPF over the number and arguments of a system call.

A program is a row of eight-byte instructions that run from the top; each either loads a word, compares it and jumps
forward, or returns the verdict. Only words of the call can be seen, never the memory that a pointer argument points to.
"""

import struct
from collections.abc import Iterable, Sequence

ALLOW = 0x7FFF0000
KILL = 0x80000000
_ERRNO = 0x00050000

NUMBER, ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_LOAD, _MASK, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_GREATER_EQUAL, _JUMP_SET = 0x15, 0x25, 0x35, 0x45

Instruction = tuple[int, int, int, int]
"""Operation, where to go when true and when false (instructions skipped), constant."""


def fail(errno: int) -> int:
    """The verdict that makes a call fail with `errno`."""
    return _ERRNO | errno


def load(offset: int) -> Instruction:
    """Look at the word at `offset` of the call's description."""
    return _LOAD, 0, 0, offset


def load_argument(index: int) -> Instruction:
    """Look at the lower half of the call's argument `index`; both architectures we know are little-endian."""
    return load(_ARGUMENTS + 8 * index)


def mask(bits: int) -> Instruction:
    """Keep only `bits` of the word looked at."""
    return _MASK, 0, 0, bits


def verdict(value: int) -> Instruction:
    """End with this verdict."""
    return _RETURN, 0, 0, value


def when_equal(value: int, then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word is `value`, else go on after it."""
    return [(_JUMP_EQUAL, 0, len(then), value), *then]


def unless_equal(value: int, then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word is not `value`, else go on after it."""
    return [(_JUMP_EQUAL, len(then), 0, value), *then]


def unless_one_of(values: Iterable[int], then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word is none of `values`, else go on after it."""
    row: list[Instruction] = []
    ordered = list(values)
    for left, value in zip(range(len(ordered) - 1, -1, -1), ordered, strict=True):
        row.append((_JUMP_EQUAL, left + len(then), 0, value))
    return [*row, *then]


def when_at_least(value: int, then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word is `value` or more, else go on after it."""
    return [(_JUMP_GREATER_EQUAL, 0, len(then), value), *then]


def when_more(value: int, then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word is more than `value`, else go on after it."""
    return [(_JUMP_GREATER, 0, len(then), value), *then]


def when_any_set(bits: int, then: Sequence[Instruction]) -> list[Instruction]:
    """Run `then` when the word has one of `bits`, else go on after it."""
    return [(_JUMP_SET, 0, len(then), bits), *then]


def assemble(instructions: Iterable[Instruction]) -> bytes:
    """Return the program as the kernel takes it."""
    return b"".join(struct.pack("HBBI", *each) for each in instructions)
