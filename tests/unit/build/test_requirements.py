"""What requirements.txt may say, and that the same wishes are the same text."""

import pytest

from dayfly.build.requirements import parse_requirements
from dayfly.model.errors import BuildFailed

HASH = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("line", "normalised"),
    [
        ("requests", "requests"),
        ("Requests >= 2.32 , < 3", "requests<3,>=2.32"),
        ("ruamel.YAML==0.18.*", "ruamel-yaml==0.18.*"),
        ("uvicorn[Standard, http] ~= 0.40", "uvicorn[http,standard]~=0.40"),
        ("numpy (>=2)", "numpy>=2"),
        ('tomli ; python_version  <  "3.11"  # old ones', 'tomli ; python_version < "3.11"'),
        (f"six==1.16.0 --hash={HASH}", f"six==1.16.0 --hash={HASH}"),
        (f"six==1.16.0 \\\n    --hash={HASH}", f"six==1.16.0 --hash={HASH}"),
        ("torch==2.13.0+cpu", "torch==2.13.0+cpu"),
    ],
)
def test_a_package_by_name_is_taken(line: str, normalised: str) -> None:
    assert parse_requirements(line.encode()).lines == (normalised,)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-e .", "options"),
        ("--index-url https://example.org", "options"),
        ("--extra-index-url=https://example.org", "options"),
        ("-r other.txt", "options"),
        ("--find-links /tmp", "options"),
        ("git+https://example.org/x.git", "URL"),
        ("https://example.org/x-1.0-py3-none-any.whl", "URL"),
        ("x @ https://example.org/x-1.0-py3-none-any.whl", "URL"),
        ("x@file:///etc/passwd", "URL"),
        ("file:./x", "URL"),
        ("./x", "path"),
        ("../x", "path"),
        ("/opt/x", "path"),
        ("x-1.0-py3-none-any.whl", "path"),
        ("~/x", "path"),
        ("requests --global-option=x", "write for example"),
        ("requests; os_name == 'posix' --config-settings=x", "write for example"),
        ("$(touch x)", "write for example"),
        ("requests == ", "write for example"),
        ("ünicode", "write for example"),
    ],
)
def test_what_points_elsewhere_is_refused_with_its_line(line: str, reason: str) -> None:
    with pytest.raises(BuildFailed, match=reason) as refused:
        parse_requirements(f"# first\nsix\n{line}\n".encode())
    assert "line 3" in str(refused.value)


def test_order_comments_case_and_repetition_do_not_matter() -> None:
    one = parse_requirements(b"# a\r\nFlask>=3\r\n\r\nsix\r\n")
    two = parse_requirements(b"\xef\xbb\xbfsix # why\nflask >= 3\nsix\n")
    assert one.text == two.text == "flask>=3\nsix\n"


def test_an_empty_file_asks_for_nothing() -> None:
    assert parse_requirements(b"\n# nothing\n").lines == ()


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * 300_000])
def test_what_is_no_text_of_a_sane_size_is_refused(data: bytes) -> None:
    with pytest.raises(BuildFailed):
        parse_requirements(data)
