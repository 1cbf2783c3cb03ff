"""Coverage-guided fuzzing of the parser border: python -m fuzz [SECONDS [OPTION…]]

Atheris drives `parser.check` with bytes of its own finding, guided by which lines of the engine they reach. Bytes that
break a promise are printed and kept in `fuzz/findings/`. What is worth keeping of a run's corpus is not: it grows anew
from the seeds within seconds. The options are libFuzzer's: `-seed=1 -runs=9000` tries much the same bytes each time.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

_INSTRUMENTED = ["dayfly.http1", "dayfly.gateway", "fuzz.differences"]
_LONGEST = 4_096


def main(argv: list[str]) -> int:
    """Fuzz for so many seconds, 60 when none are given; return 0 when nothing was found."""
    seconds = int(argv[1]) if len(argv) > 1 else 60
    try:
        import atheris
    except ImportError:
        print("fuzz: SKIPPED, as atheris is not installed for this Python", file=sys.stderr)
        return 0
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from fuzz import mutations, parser

    def one(data: bytes) -> None:
        try:
            parser.check(data)
        except BaseException:
            parser.FINDINGS.mkdir(exist_ok=True)
            (parser.FINDINGS / f"{hashlib.sha256(data).hexdigest()[:16]}.bin").write_bytes(data)
            print(f"fuzz: found {data!r}", file=sys.stderr)
            raise

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(mutations.SEEDS):
            (Path(folder) / f"seed{number}").write_bytes(seed)
        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-timeout=30", "-print_final_stats=1"]
        atheris.Setup([argv[0], *options, *argv[2:], folder], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
