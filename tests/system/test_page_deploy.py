"""Each way to deploy a function on the page, and each of its settings, in a real browser on a real platform."""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.archives import LONG, damaged, packed
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import PASSWORD, invoke, open_function, shot, write
from tests.system.driver import Platform, eventually

from dayfly.build.starters import starters

ADDS = "import adds\n\n\ndef handle(event, context):\n    return str(adds.add(40, 2))\n"
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform whose functions may need one package, of a folder."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        wheel(Path(name))
        places = {
            f"{tool}_{what}": value
            for tool in ("PIP", "UV")
            for what, value in (("NO_INDEX", "1"), ("FIND_LINKS", name))
        }
        with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, **places}) as (platform, folder):
            platform.ok("secret", "create", "key", stdin="word")
            platform.ok("secret", "create", "other", stdin="word")
            platform.deploy_function(folder / "kept", "def handle(event, context):\n    return 'one'\n")
            yield platform


def wheel(folder: Path) -> None:
    """Put the package `adds` into the folder."""
    info = "adds-1.0.dist-info"
    with zipfile.ZipFile(folder / "adds-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("adds.py", "def add(a, b):\n    return a + b\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: adds\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"adds.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def go(page: Page, way: str) -> None:
    page.get_by_role("link", name="Deploy new function").first.click()
    page.get_by_role("link", name=way).click()


def deploy(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="Deploy", exact=True).click()


def arrived(page: Page, name: str) -> None:
    page.get_by_role("heading", name=name, level=1).wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_every_template_is_offered_and_what_they_make_answers(page: Page, installed: Platform) -> None:
    go(page, "From code")
    template, files = page.get_by_label("Template"), page.get_by_role("list", name="Files")
    expect(template.get_by_role("option")).to_have_text([each.name for each in starters()])
    for each in starters():
        template.select_option(each.name)
        expect(page.get_by_text(each.description)).to_be_visible()
        expect(files.locator(".path")).to_have_text([file.path for file in each.files])
    for name in ("python", "node", "exec"):
        go(page, "From code")
        page.get_by_label("Template").select_option(name)
        deploy(page, f"from-{name}")
        arrived(page, f"from-{name}")
        shown = invoke(page, "Dayfly").get_by_label("Body of the answer")
        expect(shown).to_have_text(installed.ask("POST", f"/function/from-{name}", b"Dayfly").body.decode())
        assert installed.describe(f"from-{name}")["spec"]["lang"] == name


def choose(page: Page, name: str, content: bytes) -> None:
    sent = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.get_by_label("Archive of the handler's folder").set_input_files(sent)  # type: ignore[arg-type] # a FilePayload


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "pax.tar"])
def test_an_archive_of_any_kind_arrives_whole(page: Page, installed: Platform, kind: str) -> None:
    go(page, "From an archive")
    choose(page, f"Mine.{kind}", packed(kind))
    expect(page.get_by_role("status").filter(has_text="5 files")).to_contain_text("Grüße.txt")
    deploy(page, f"archive-{kind.replace('.', '-')}")
    arrived(page, f"archive-{kind.replace('.', '-')}")
    found = installed.ask("POST", f"/function/archive-{kind.replace('.', '-')}").json()
    assert found["runs"] is True
    assert found["files"] == {LONG.removeprefix("packed/"): "long", "Grüße.txt": "hello", "empty.txt": ""}


def test_what_is_no_archive_is_refused_in_words(page: Page) -> None:
    go(page, "From an archive")
    page.get_by_role("textbox", name="Name", exact=True).fill("never")
    for content, words in damaged():
        choose(page, "bad.zip", content)
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        expect(page.get_by_role("button", name="Deploy", exact=True)).to_be_disabled()
    choose(page, "good.zip", packed("zip"))
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    expect(page.get_by_role("button", name="Deploy", exact=True)).to_be_enabled()


def test_an_image_has_its_process_and_environment(page: Page, installed: Platform) -> None:
    go(page, "From an image")
    page.get_by_role("textbox", name="Image", exact=True).fill("functions/alpine:latest")
    page.get_by_label("Process").fill("env")
    page.get_by_role("button", name="Add variable").click()
    page.get_by_label("Variable 1: name").fill("WHO")
    page.get_by_label("Variable 1: value").fill("the page")
    deploy(page, "told")
    arrived(page, "told")
    expect(invoke(page).get_by_label("Body of the answer")).to_contain_text("WHO=the page")
    spec = installed.describe("told")["spec"]
    assert (spec["image"], spec["process"], spec["env"]) == ("functions/alpine:latest", "env", {"WHO": "the page"})


def with_requirements(page: Page, name: str, needs: str) -> Locator:
    """Deploy code with these requirements and return the dialog that tells of it."""
    go(page, "From code")
    write(page, "handler.py", ADDS)
    page.get_by_role("button", name="requirements.txt", exact=True).click()
    write(page, "requirements.txt", needs)
    deploy(page, name)
    return page.get_by_role("dialog", name=f"Deploying {name}")


def test_what_installing_prints_is_shown_and_why_it_fails(page: Page, installed: Platform) -> None:
    dialog = with_requirements(page, "adds", "no-such-package-of-ours==9\n")
    steps = dialog.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps).to_have_text(["Code", "Dependencies", "Start", "Ready"])
    expect(dialog.get_by_role("alert")).to_contain_text("the dependencies could not be installed")
    expect(dialog.get_by_role("alert")).to_contain_text("no-such-package-of-ours")
    expect(dialog.get_by_label("What installing printed")).to_contain_text("no-such-package-of-ours")
    expect(dialog.locator("[aria-current=step]")).to_have_text("Dependencies")
    shot(page, "build")
    dialog.get_by_role("button", name="Close").click()
    with_requirements(page, "adds", "adds==1.0\n")
    arrived(page, "adds")
    expect(invoke(page).get_by_label("Body of the answer")).to_have_text("42")
    assert installed.describe("adds")["state"] == "ready"


def test_code_that_cannot_be_read_is_refused_and_stays_in_the_editor(page: Page, installed: Platform) -> None:
    open_function(page, "kept")
    page.get_by_role("link", name="Code", exact=True).click()
    wrong = "def handle(event, context:\n    return 'two'\n"
    write(page, "handler.py", wrong)
    page.get_by_role("button", name="Deploy", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("SyntaxError")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("textbox", name="handler.py")).to_contain_text("def handle(event, context:")
    assert installed.ask("POST", "/function/kept").body == b"one"
    write(page, "handler.py", wrong.replace("context:", "context):"))
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(
        page.get_by_text("Nothing is changed").or_(page.get_by_text(re.compile("^Revision [0-9]+$"))).first
    ).to_be_visible()
    eventually("it serves", lambda: installed.ask("POST", "/function/kept").body == b"two")


def test_a_canary_is_returned_and_rolling_back_is_tried_first(page: Page, installed: Platform) -> None:
    open_function(page, "kept")
    page.get_by_role("link", name="Code", exact=True).click()
    write(page, "handler.py", "def handle(event, context):\n    return 'three'\n")
    page.get_by_label("as a canary").check()
    page.get_by_label("% of the calls").fill("50")
    page.get_by_role("button", name="Deploy", exact=True).click()
    region = page.get_by_role("region", name=re.compile("^Canary"))
    region.get_by_role("button", name="Return").click()
    expect(region).to_have_count(0)
    expect(page.get_by_text(re.compile("^Revision [0-9]+ was returned"))).to_be_visible()
    assert {installed.ask("POST", "/function/kept").body for _ in range(8)} == {b"two"}
    page.get_by_role("button", name="Roll back to revision 1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("First as a canary").check()
    dialog.get_by_role("slider").fill("70")
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    expect(region.get_by_role("img")).to_have_attribute("aria-label", re.compile("gets 70 % of the calls"))
    rollout = installed.describe("kept")["rollout"]
    assert rollout["canary"]["weight"] == 70
    region.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("took over")).to_be_visible()
    eventually("it serves", lambda: installed.ask("POST", "/function/kept").body == b"one")


def settings(page: Page, name: str) -> Locator:
    page.goto(f"{page.url.split('#')[0]}#/functions/openfaas-fn/{name}/settings")
    page.get_by_role("heading", name="Scaling").wait_for()
    return page.get_by_role("button", name="Save and deploy")


def pair(page: Page, what: str, name: str, value: str) -> None:
    page.get_by_role("button", name=f"Add {what.lower()}").click()
    number = page.get_by_label(re.compile(f"^{what} [0-9]+: name$")).count()
    page.get_by_label(f"{what} {number}: name").fill(name)
    page.get_by_label(f"{what} {number}: value").fill(value)


def test_every_setting_is_changed_and_found_again(page: Page, installed: Platform) -> None:
    save = settings(page, "kept")
    page.get_by_label("key", exact=True).check()
    pair(page, "Variable", "WHO", "me")
    pair(page, "Label", "team", "one")
    pair(page, "Annotation", "about", "nothing")
    texts = {
        "Memory limit": "200Mi", "CPU limit": "250m", "Timeout": "9s", "Calls at a time": "7", "Largest body": "2Mi",
        "Log a second": "64k", "At least": "1", "At most": "4", "One replica carries": "3", "Aimed at": "0.5",
        "Idle for": "11m", "Fewer after": "2m", "May connect to": "example.com:443, *.example.org",
        "Handler": "handler:handle",
    }  # fmt: skip
    for label, text in texts.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("combobox", name="By", exact=True).select_option("calls a second")
    page.get_by_role("combobox", name="To zero when idle").select_option("yes")
    page.get_by_label("Read-only root filesystem").check()
    save.click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    spec = installed.describe("kept")["spec"]
    scale = "com.openfaas.scale"
    known = ("secrets", "env", "labels", "annotations", "limits", "timeout", "max_inflight")
    assert {name: spec[name] for name in known} == {
        "secrets": ["key"], "env": {"WHO": "me"}, "annotations": {"about": "nothing"},
        "labels": {
            "team": "one", f"{scale}.min": "1", f"{scale}.max": "4", f"{scale}.type": "rps", f"{scale}.target": "3",
            f"{scale}.target-proportion": "0.5", f"{scale}.zero": "true", f"{scale}.zero-duration": "11m",
            f"{scale}.down.window": "2m",
        },
        "limits": {"memory": "200Mi", "cpu": "250m"}, "timeout": "9s", "max_inflight": 7,
    }  # fmt: skip
    assert (spec["max_body"], spec["max_log_rate"], spec["handler"]) == ("2Mi", "64k", "handler:handle")
    assert (spec["allow"], spec["read_only_root_filesystem"]) == (["example.com:443", "*.example.org"], True)
    page.reload()
    save = settings(page, "kept")
    for label, text in texts.items():
        expect(page.get_by_label(label, exact=True)).to_have_value(text)
    # And each is taken away again.
    page.get_by_label("key", exact=True).uncheck()
    page.get_by_label("other", exact=True).check()
    for what in ("variable", "label", "annotation"):
        page.get_by_role("button", name=f"Remove {what} 1").click()
    for label in texts:
        page.get_by_label(label, exact=True).fill("")
    page.get_by_role("combobox", name="By", exact=True).select_option("default")
    page.get_by_role("combobox", name="To zero when idle").select_option("default")
    page.get_by_role("combobox", name="Network", exact=True).select_option("none")
    page.get_by_label("Read-only root filesystem").uncheck()
    save.click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    spec = installed.describe("kept")["spec"]
    gone = ("env", "labels", "annotations", "limits", "timeout", "max_inflight", "max_body", "max_log_rate")
    assert [name for name in gone if spec.get(name)] == []
    assert (spec["secrets"], spec["network"], spec["handler"]) == (["other"], "none", "handler")


def test_what_is_refused_of_a_setting_stands_at_it(page: Page, window: Watched, installed: Platform) -> None:
    save = settings(page, "kept")
    before = installed.describe("kept")["revision"]
    for label, wrong, words in (
        ("Memory limit", "lots", "is not an amount of memory"), ("CPU limit", "half", "is not an amount of CPU"),
        ("Timeout", "soon", "is not a span of time"), ("Calls at a time", "200000", "between 0 and 100000"),
        ("Largest body", "huge", "is not an amount of memory"), ("Log a second", "fast", "is not an amount of memory"),
        ("At least", "few", "a whole number"), ("At most", "many", "a whole number"),
        ("One replica carries", "x", "a whole number"),
        ("Aimed at", "7", "from 0.01 to 1"), ("Idle for", "soon", "is not a span of time"),
        ("Fewer after", "soon", "is not a span of time"), ("May connect to", "a!", "is none of public"),
        ("Handler", "../x", "MODULE"),
    ):  # fmt: skip
        field = page.get_by_label(label, exact=True)
        field.fill(wrong)
        with window.refused("400 (Bad Request)"):
            save.click()
        expect(field).to_have_accessible_description(re.compile(words))
        expect(field).to_be_focused()
        expect(field).to_have_value(wrong)
        page.get_by_role("button", name="Discard").click()
    for what, name, value, words in (
        ("Variable", "A B", "x", "is not an environment variable name"),
        ("Annotation", "com.dayfly.record.payloads", "now and then", "must be off, errors, all"),
    ):
        pair(page, what, name, value)
        with window.refused("400 (Bad Request)"):
            save.click()
        expect(
            page.get_by_role("region", name={"Variable": "Environment", "Annotation": "Labels"}[what]).get_by_role(
                "alert"
            )
        ).to_contain_text([words])
        page.get_by_role("button", name="Discard").click()
    assert installed.describe("kept")["revision"] == before
