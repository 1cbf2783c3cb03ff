"""Bases for the tests: images with the names of a Python's files in them, and nothing that runs."""

import sys
from pathlib import Path
from typing import Any

from tests.unit.oci.making import put_image, tar_of

from dayfly.oci.layout import Layout
from dayfly.oci.platform import this_machine

MINOR = sys.version_info.minor


def python_base(folder: Path, *, minor: int = MINOR, name: str = "base", architecture: str = "", **run: Any) -> Layout:
    """Put an image with a Python of this minor version, none for 0, into the layout of this folder."""
    layout = Layout.create(folder)
    files = {f"usr/local/lib/python3.{minor}/os.py": b""} if minor else {"etc/passwd": b""}
    put_image(layout, tar_of(files), name=name, architecture=architecture or this_machine().architecture, **run)
    return layout
