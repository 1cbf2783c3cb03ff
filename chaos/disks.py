"""Disks of our own to fill and to break: mounted by root for as long as they are needed, and gone after that.

Raises CannotMount where this account or machine cannot, with a sentence that says why.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1 << 16


class CannotMount(Exception):
    """There is no disk to be had; the text says why."""


class SmallDisk:
    """A mounted file system; `root` is its folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / "ballast"

    def fill(self) -> None:
        """Use up all the space there is, to the last byte."""
        with self._ballast.open("ab", buffering=0) as file:
            size = _BLOCK
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink()


class FailingDisk:
    """A disk in a file, which the kernel makes read-only at our word as it does when a real one fails."""

    def __init__(self, image: Path, root: Path) -> None:
        self.root = root
        self._image = image

    def fail(self) -> None:
        """Have the kernel find an error in the file system; until `repair` it is read-only, whoever writes."""
        device = subprocess.check_output(["findmnt", "-no", "SOURCE", str(self.root)], text=True).strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("a test of Dayfly")

    def repair(self) -> None:
        """Mount it anew; nobody may use it meanwhile.

        A copy of the image is mounted: as long as a namespace of somebody else's sees the old disk, it stays as it is.
        """
        _unmount(self.root)
        broken, self._image = self._image, self._image.with_name(f"{self._image.name}.repaired")
        shutil.copyfile(broken, self._image)
        subprocess.run(["fsck.ext4", "-fy", str(self._image)], check=False, capture_output=True)
        self.mount()

    def mount(self) -> None:
        """Mount the image. Raises CannotMount."""
        _mount(["-o", "loop,errors=remount-ro", str(self._image), str(self.root)])


@contextlib.contextmanager
def small_disk(root: Path, *, megabytes: int = 32) -> Iterator[SmallDisk]:
    """Mount a small disk at `root`. Raises CannotMount."""
    root.mkdir(mode=0o755)
    _mount(["-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "dayfly-test", str(root)])
    try:
        yield SmallDisk(root)
    finally:
        _unmount(root)


@contextlib.contextmanager
def failing_disk(root: Path, *, megabytes: int = 48) -> Iterator[FailingDisk]:
    """Mount a disk that can fail at `root`. Raises CannotMount."""
    root.mkdir(mode=0o755)
    image = root.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise CannotMount(f"this machine makes no file system: {made.stderr.strip()}")
    disk = FailingDisk(image, root)
    disk.mount()
    try:
        yield disk
    finally:
        _unmount(root)


def _mount(arguments: list[str]) -> None:
    if os.geteuid() != 0:
        raise CannotMount("only root can mount a disk of its own to fill or break")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMount(f"this machine mounts no disk of ours: {done.stderr.strip()}")


def _unmount(root: Path) -> None:
    subprocess.run(["umount", "--lazy", str(root)], check=True)
