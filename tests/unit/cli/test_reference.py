"""docs/reference/cli.md is what the commands say now."""

from pathlib import Path

from dayfly.cli.main import COMMANDS
from dayfly.cli.reference import reference
from dayfly.model import errors

PAGE = Path(__file__).parents[3] / "docs/reference/cli.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == reference(), "run: python -m dayfly.cli.reference > docs/reference/cli.md"


def test_every_command_and_exit_code_is_on_it() -> None:
    page = reference()
    assert all(f"## dayfly {name}\n" in page for name in COMMANDS)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DayflyError)]
    assert all(f"| {kind.exit_code} |" in page for kind in kinds)
