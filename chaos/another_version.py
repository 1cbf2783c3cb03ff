"""Another version of Dayfly beside the one under test: a copy with another number and layout, in its own venv."""

import compileall
import os
import re
import shutil
import sys
import sysconfig
import venv
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FOREIGN = re.compile(r"client/template/|catalog/functions/")
NEXT = "9.9.9"
NEXT_STEP = """

STEPS = (
    *STEPS,
    Step(
        since="9.9.9",
        up="CREATE TABLE notes (text TEXT NOT NULL) STRICT; INSERT INTO notes VALUES ('migrated')",
        down="DROP TABLE notes",
    ),
)
"""


def install(folder: Path, version: str = NEXT, *, step: str = NEXT_STEP) -> Path:
    """Make a copy of the program under test with this version's number and one more step; return its folder."""
    source = folder / "src" / "dayfly"
    shutil.copytree(_ROOT / "src" / "dayfly", source)
    compileall.compile_dir(source, quiet=1, rx=_FOREIGN)  # or each of its processes would compile all that it imports
    spoil(folder, "__init__.py", f'\n__version__ = "{version}"\n')
    if step:
        spoil(folder, "storage/steps.py", step)
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    packages = folder / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "copy.pth").write_text(f"{source.parent}\n{sysconfig.get_paths()['purelib']}\n")
    program = folder / "venv" / "bin" / "dayfly"
    program.write_text(f"#!{python}\nfrom dayfly.cli.main import main\n\nmain()\n")
    program.chmod(0o755)
    return folder


def spoil(folder: Path, module: str, text: str) -> None:
    """Add the text to a module of the copy."""
    with (folder / "src" / "dayfly" / module).open("a") as file:
        file.write(text)


def program(folder: Path) -> str:
    """Return the copy's `dayfly`."""
    return str(folder / "venv" / "bin" / "dayfly")


def runs(pid: int, folder: Path) -> bool:
    """Whether the process runs the copy in this folder."""
    return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
