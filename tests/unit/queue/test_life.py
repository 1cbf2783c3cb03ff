"""Lives: that one is over is known at once, and not before."""

import subprocess
import sys
from pathlib import Path

from dayfly.queue.life import Life, is_alive

PROGRAM = """
import sys
from pathlib import Path
from dayfly.queue.life import Life
life = Life(Path(sys.argv[1]))
print(life.name, flush=True)
sys.stdin.read()
"""


def test_a_life_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    name = process.stdout.readline().strip()
    assert is_alive(tmp_path, name)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert not is_alive(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_life_that_ends_by_itself_is_over(tmp_path: Path) -> None:
    life = Life(tmp_path)
    other = Life(tmp_path)
    assert life.name != other.name
    assert is_alive(tmp_path, life.name)
    life.end()
    assert not is_alive(tmp_path, life.name)
    assert is_alive(tmp_path, other.name)
    other.end()
    assert not is_alive(tmp_path, "never")
