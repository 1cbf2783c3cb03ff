"""The porter's end."""

import subprocess
import sys
import tempfile

LATE = """
import selectors, signal, sys
from dayfly.providers.docker import porter

waiting = selectors.DefaultSelector.select

def late(selector, timeout=None):
    \"\"\"A signal between two of Python's steps has its handler run after the next one only: after the waiting.\"\"\"
    handler = signal.signal(signal.SIGTERM, lambda *_: None)  # as long as the handler cannot run
    signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, handler)
    return waiting(selector, timeout)

selectors.DefaultSelector.select = late
porter.main(["--path", "", "--folder", sys.argv[1]])
"""


def test_a_signal_that_comes_just_before_the_waiting_is_not_missed() -> None:
    with tempfile.TemporaryDirectory(prefix="dfp") as folder:
        done = subprocess.run([sys.executable, "-c", LATE, folder], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
