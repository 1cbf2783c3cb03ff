"""The corpus: hostile byte sequences from published research on request smuggling, and what each must come to."""

from tests.hostile.corpus import chunks, codings, headers, lengths, lines, pipelines
from tests.hostile.corpus.case import PATH, POISON, Case

CASES: tuple[Case, ...] = (
    *lengths.CASES,
    *codings.CASES,
    *chunks.CASES,
    *lines.CASES,
    *headers.CASES,
    *pipelines.CASES,
)

__all__ = ["CASES", "PATH", "POISON", "Case"]
