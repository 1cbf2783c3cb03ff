"""Says before the tests which of them this machine cannot run, and what would change that."""

import os


def main() -> None:
    """Print one line for each thing that is left out."""
    if os.geteuid() != 0:
        print("left out: functions that run as users of their own, which only root can start")


if __name__ == "__main__":
    main()
