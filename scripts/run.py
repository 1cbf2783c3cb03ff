"""`make run`: the platform in the foreground with the examples deployed, until Ctrl-C.

Standard library only; it starts the same `dayfly` command that a user would type. Arguments go to `dayfly start`.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAYFLY = str(Path(sys.executable).with_name("dayfly"))


def main(arguments: list[str]) -> int:
    """Run the platform; return its exit code."""
    environment = {"DAYFLY_DATA_DIR": str(ROOT / ".dayfly"), **os.environ}
    # Ctrl-C reaches the platform too, which is of the terminal's process group: here it must only not end the waiting.
    signal.signal(signal.SIGINT, lambda *_: None)
    platform = subprocess.Popen([DAYFLY, "start", *arguments], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: platform.terminate())
    while platform.poll() is None and not _is_up(environment):
        time.sleep(0.1)
    if platform.poll() is None:
        deployed = subprocess.run([DAYFLY, "deploy", "-f", str(ROOT / "examples/stack.yaml")], env=environment)
        if deployed.returncode == 0:
            _tell_how(environment)
    return platform.wait()


def _is_up(environment: dict[str, str]) -> bool:
    return _ask("ready", environment=environment) is not None


def _tell_how(environment: dict[str, str]) -> None:
    url = _ask("describe", "slugify", "--output", "json", environment=environment)
    if url:
        import json

        print("\nThe examples are deployed (examples/README.md tells how to call each). For a start:\n")
        print(f"  curl -d 'Crème brûlée, twice' {json.loads(url)['url']}\n\nCtrl-C stops the platform.\n", flush=True)


def _ask(*command: str, environment: dict[str, str]) -> str | None:
    done = subprocess.run([DAYFLY, *command], env=environment, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
