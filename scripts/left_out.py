"""Says before the tests which of them this machine cannot run, and what would change that."""

import os
import shutil


def main() -> None:
    """Print one line for each thing that is left out."""
    print("left out: attacks on the sandbox's lesser tiers, which `make test-escape` tries")
    if os.geteuid() != 0:
        print("left out: functions that run as users of their own, which only root can start")
        print("left out: full and read-only disks, which only root can mount")
    for program, what in (("strace", "kills and errors at chosen system calls"), ("faketime", "a clock that jumps")):
        if shutil.which(program) is None:
            print(f"left out: {what}; as root, `apt-get install {program}` changes that")


if __name__ == "__main__":
    main()
