"""What an installation watches, tells, allows and answers, set by hand on its page: each form, and what comes of it."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import ADMIN, PASSWORD, go, row
from tests.system.driver import Platform, eventually
from tests.unit.observe.alerts.servers import Mailbox, Posts, http_server, smtp_server

HELLO = """\
def handle(event, context):
    return {"statusCode": 500 if event.path == "/bad" else 200, "body": "hello"}
"""
RULES: dict[str, dict[str, object]] = {
    "Error rate": {"threshold": 0.2, "window": "10m"},
    "Latency": {"threshold": 1.5, "window": "1h", "quantile": 0.99},
    "No traffic": {"threshold": 3.0},
    "Cold starts": {"threshold": 4.0},
    "Replicas": {"threshold": 2.0},
    "Restarts": {"threshold": 5.0},
    "Queue": {"threshold": 6.0},
    "Dead letters": {"threshold": 7.0},
    "Budget": {"threshold": 0.8},
    "Disk": {"threshold": 0.75},
    "Certificate": {"threshold": 30.0},
    "PromQL": {"expr": "vector(1)", "threshold": 2.0},
}
"""Each kind of rule that the form offers, and what is written into it."""
FIELDS = {"window": "Counted over", "quantile": "For this part of them"}
KEY = "whsec_a2V5a2V5a2V5"
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that was called."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_ALERT_INTERVAL": "1s"}) as (platform, folder):
        platform.deploy_function(folder / "hello", HELLO)
        platform.ok("namespace", "create", "other", "--label", "team=a")
        for path in ("/", "/", "/bad"):
            platform.ask("POST", f"/function/hello{path}", b"{}")
        yield platform


def ask(platform: Platform, path: str) -> Any:
    return platform.ask("GET", path, headers=ADMIN).json()


def begin(page: Page, button: str) -> Locator:
    """Open a dialog and return it."""
    page.get_by_role("button", name=button).click()
    return page.get_by_role("dialog")


def test_a_rule_of_each_kind_is_made_and_kept_as_it_was_written(page: Page, installed: Platform) -> None:
    go(page, "Settings", "Alerts")
    rules = page.get_by_role("region", name="Rules")
    for number, (kind, wanted) in enumerate(RULES.items()):
        form = begin(page, "Create a rule…")
        form.get_by_label("Name", exact=True).fill(f"rule-{number}")
        form.get_by_role("combobox", name="Watches").select_option(kind)
        form.get_by_role("spinbutton").first.fill(str(wanted["threshold"]))
        for name in wanted.keys() & FIELDS:
            form.get_by_label(FIELDS[name]).fill(str(wanted[name]))
        if "expr" in wanted:
            form.get_by_role("textbox", name="Expression").fill(str(wanted["expr"]))
        form.get_by_label("Severity").select_option("critical")
        form.get_by_label("Once it held for").fill("5m")
        form.get_by_role("button", name="Create").click()
        expect(form).to_have_count(0)
        expect(row(rules, f"rule-{number}")).to_contain_text(kind)
    kept = {each["rule"]["name"]: each["rule"] for each in ask(installed, "/v1/alerts/rules")}
    for number, wanted in enumerate(RULES.values()):
        rule = kept[f"rule-{number}"]
        assert rule.items() >= (wanted | {"severity": "critical", "for": "5m"}).items()
    assert len({kept[f"rule-{number}"]["kind"] for number in range(len(RULES))}) == len(RULES)
    rules.get_by_role("button", name="Change rule-0").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("Counted over")).to_have_value("10m")
    options = form.get_by_role("combobox", name="Watches").locator("option")
    expect(options).to_have_text(list(RULES))
    form.get_by_label("Counted over").fill("20m")
    form.get_by_role("button", name="Save").click()
    eventually("it is changed", lambda: ask(installed, "/v1/alerts/rules/rule-0")["rule"]["window"] == "20m")
    rules.get_by_role("button", name="Pause rule-0").click()
    expect(rules.get_by_role("button", name="Resume rule-0")).to_be_visible()
    assert ask(installed, "/v1/alerts/rules/rule-0")["rule"]["paused"] is True
    assert ask(installed, "/v1/alerts/rules/rule-0")["rule"]["threshold"] == 0.2
    installed.ok("alert", "rule", "remove", *(f"rule-{number}" for number in range(len(RULES))))


def receiver(page: Page, kind: str, **fields: str) -> str:
    """Make a receiver of a kind and return its name."""
    form = begin(page, "Create a receiver…")
    form.get_by_label("Name", exact=True).fill(kind)
    form.get_by_role("combobox", name="By").select_option(kind)
    for label, value in fields.items():
        field = form.get_by_label(label.replace("_", " ")).last
        if field.evaluate("element => element.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    form.get_by_role("button", name="Create").click()
    expect(form).to_have_count(0)
    return kind


def test_a_receiver_of_each_kind_takes_the_test(page: Page, window: Watched, installed: Platform) -> None:
    posts, mailbox = Posts(), Mailbox()
    go(page, "Settings", "Alerts")
    with http_server(posts) as port, smtp_server(mailbox) as mail:
        base = f"http://127.0.0.1:{port}"
        names = [
            receiver(page, "email", Server="127.0.0.1", Port=str(mail), Encryption="none", From="d@example.org",
                     To="ops@example.org, boss@example.org"),
            receiver(page, "slack", **{"The webhook's URL": f"{base}/slack"}),
            receiver(page, "webhook", URL=f"{base}/hook", Key=KEY),
            receiver(page, "alertmanager", URL=f"{base}/am", Bearer="letmein"),
            receiver(page, "apprise", Its_URLs=f"json://127.0.0.1:{port}/apprise"),
        ]  # fmt: skip
        receivers = page.get_by_role("region", name="Receivers")
        for name in names:
            receivers.get_by_role("button", name=f"Test {name}").click()
            expect(receivers.get_by_role("status")).to_have_text(f"{name} took the test.")
            expect(row(receivers, name)).not_to_contain_text("never")
        taken = {each.path: each for each in posts.taken}
        assert set(taken) == {"/slack", "/hook", "/am/api/v2/alerts", "/apprise"}
        assert "test" in json.loads(taken["/slack"].body)["text"].lower()
        assert taken["/hook"].headers["webhook-signature"].startswith("v1,")
        assert taken["/am/api/v2/alerts"].headers["authorization"] == "Bearer letmein"
        assert mailbox.taken[0][0].rcpt_tos == ["ops@example.org", "boss@example.org"]
        for secret in (KEY, "letmein", f"{base}/slack", f"{port}/apprise"):
            assert secret not in page.content(), "what lets us in there is never shown"

        receivers.get_by_role("button", name="Change webhook").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Severe at least as").select_option("critical")
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)
        receivers.get_by_role("button", name="Test webhook").click()
        eventually("it is told again", lambda: [each.path for each in posts.taken].count("/hook") == 2)
        assert posts.taken[-1].headers["webhook-signature"].startswith("v1,"), "its key stays"
        assert ask(installed, "/v1/alerts/receivers/webhook")["receiver"]["min_severity"] == "critical"
        receivers.get_by_role("button", name="Change webhook").click()
        form.get_by_label("URL").fill(f"{base}/moved")
        with window.refused("400 (Bad Request)"):
            form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_contain_text("give it again, since the receiver is to lead elsewhere")
        form.get_by_label("Key").fill(KEY)
        form.get_by_role("button", name="Save").click()
        expect(row(receivers, "webhook")).to_contain_text(f"{base}/moved")
    # Nobody is at its port any more: that is told at once, and stands beside the receiver.
    with window.refused("503 (Service Unavailable)"):
        receivers.get_by_role("button", name="Test email").click()
    expect(receivers.get_by_role("alert")).to_contain_text("refused")
    expect(row(receivers, "email").locator(".reason")).to_contain_text("refused")
    installed.ok("alert", "receiver", "remove", *names)


def test_a_silence_holds_for_what_it_names_and_no_more(page: Page, installed: Platform) -> None:
    lines = 'label_replace(vector(1), "part", "a", "", "") or label_replace(vector(2), "part", "b", "", "")'
    installed.ok("alert", "rule", "set", "twins", "--kind", "promql", "--expr", lines)
    go(page, "Settings", "Alerts")
    alerts = page.get_by_role("region", name="Alerts")
    twins = row(alerts, "twins")
    expect(twins).to_have_count(2)
    twins.first.get_by_role("button", name="Silence twins").click()
    form = page.get_by_role("dialog")
    form.get_by_label("alertname=twins").uncheck()
    form.get_by_label("severity=").uncheck()
    form.get_by_label("For", exact=True).or_(form.get_by_role("combobox", name="For")).first.select_option("an hour")
    form.get_by_role("button", name="Silence", exact=True).click()
    expect(twins.filter(has_text="silenced")).to_have_count(1)
    silences = page.get_by_role("region", name="Silences")
    expect(silences).to_contain_text(re.compile("part=[ab]"))
    (kept,) = ask(installed, "/v1/alerts/silences")
    assert [each["name"] for each in kept["matchers"]] == ["part"]
    assert kept["ends_unix_ms"] - kept["starts_unix_ms"] == 3_600_000
    silences.get_by_role("button", name=re.compile("^End")).click()
    expect(twins.filter(has_text="silenced")).to_have_count(0)
    installed.ok("alert", "rule", "remove", "twins")


def test_a_budget_that_is_used_up_is_told_and_taken_away(page: Page, installed: Platform) -> None:
    go(page, "Settings", "Budgets and costs")
    budgets = page.get_by_role("region", name="Budgets")
    form = begin(page, "Set a budget…")
    form.get_by_role("combobox").first.select_option("hello")
    form.get_by_label("At most").fill("1")
    form.get_by_role("button", name="Set").click()
    expect(row(budgets, "hello")).to_contain_text("used up")
    assert installed.ask("POST", "/function/hello", b"{}").status == 429
    form = begin(page, "Set a budget…")
    form.get_by_role("combobox").first.select_option("hello")
    form.get_by_role("button", name="Set").click()
    expect(page.get_by_text("Nothing in openfaas-fn has a budget.")).to_be_visible()
    assert installed.ask("POST", "/function/hello", b"{}").status == 200


ASKED = (
    ("GET", "/v1/namespaces/openfaas-fn/functions", None),
    ("GET", "/v1/query/tables", None),
    ("POST", "/v1/namespaces/openfaas-fn/functions/hello/invoke", b'{"method": "GET", "target": "/", "headers": []}\n'),
    ("PUT", "/v1/namespaces/openfaas-fn/secrets/word", b"x"),
    ("GET", "/v1/tokens", None),
)
TYPE = {"Content-Type": "application/vnd.dayfly.call"}
MAY = {
    "view": [True, True, False, False, False],
    "query": [False, True, False, False, False],
    "invoke": [False, False, True, False, False],
    "deploy": [True, True, True, True, False],
    "admin": [True, True, True, True, True],
}
"""Which of these a token of each role may."""


def test_a_token_of_each_role_may_what_the_page_says(page: Page, installed: Platform) -> None:
    go(page, "Settings", "Users and tokens")
    roles = page.get_by_role("region", name="Roles")
    expect(roles.get_by_role("term")).to_have_text(list(MAY))
    for role, wanted in MAY.items():
        form = begin(page, "Make a token…")
        form.get_by_label("What it is for").fill(f"the {role} of a person")
        form.get_by_label("Role").select_option(role)
        form.get_by_role("button", name="Make", exact=True).click()
        token = form.get_by_label("The token").inner_text().strip()
        form.get_by_role("button", name="I have it").click()
        expect(row(page, f"the {role} of a person")).to_contain_text("until")
        bearer = {"Authorization": f"Bearer {token}"}
        asked = [
            installed.ask(method, path, body, headers=bearer | TYPE, listener="console_url")
            for method, path, body in ASKED
        ]
        assert [each.status for each in asked if each.status not in (200, 201)] == [403] * wanted.count(False), role
        assert [each.status != 403 for each in asked] == wanted, role


def test_who_did_what_from_where_is_told_with_what_it_was_before_and_after(page: Page, installed: Platform) -> None:
    token = json.loads(installed.ok("token", "create", "--role", "admin", "--all-namespaces", "--note", "Ada Lovelace",
                                    "--output", "json"))  # fmt: skip
    ada = {"Authorization": f"Bearer {token['token']}", "Content-Type": "application/json"}
    changed = b'{"labels": {"team": "b"}, "annotations": {}}'
    assert installed.ask("PUT", "/v1/namespaces/other", changed, headers=ada).status == 200
    go(page, "Settings", "Users and tokens")
    page.get_by_role("link", name=f"Changes of token {token['status']['id']}").click()
    expect(page.get_by_label("Who")).to_have_value(f"token {token['status']['id']}")
    expect(page.get_by_role("button", name=re.compile(r"^Entry \d+: "))).to_have_count(1)
    page.get_by_label("Action").fill("namespace")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("button", name=re.compile(r"^Entry \d+: namespace\.(put|update)")).first.click()
    entry = page.get_by_role("dialog")
    expect(entry.get_by_text("127.0.0.1")).to_be_visible()
    expect(entry).to_contain_text(token["status"]["id"])
    change = entry.locator(".change").filter(has_text="team")
    expect(change.locator("del")).to_have_text("a")
    expect(change.locator("ins")).to_have_text("b")
    entry.get_by_role("button", name="Close").click()
    page.get_by_label("Who").fill("nobody")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("There is no such entry.")).to_be_visible()


def write(page: Page, text: str) -> None:
    """Put the question into the editor."""
    editor = page.get_by_role("textbox", name="The query")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def test_an_answer_is_exported_as_each_kind_of_file(page: Page, window: Watched) -> None:
    go(page, "Query")
    write(page, "drop table calls")
    with window.refused("400 (Bad Request)"):
        page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert").filter(has_text="only reads")).to_be_visible()
    write(page, "select distinct function, status, path from calls where status <> 429 order by status desc")
    page.get_by_role("button", name="Run").click()
    found = page.get_by_role("region", name="What it found")
    expect(found.get_by_role("columnheader")).to_have_text(["function", "status", "path"])
    rows = [["hello", 500, "/bad"], ["hello", 200, "/"]]
    expect(found.get_by_role("cell")).to_have_text([str(value) for each in rows for value in each])
    taken = {form: exported(page, form) for form in ("CSV", "XLSX", "PARQUET", "JSON")}
    assert list(csv.reader(io.StringIO(taken["CSV"].decode()))) == [
        ["function", "status", "path"], *([str(value) for value in each] for each in rows)
    ]  # fmt: skip
    sheet = openpyxl.load_workbook(io.BytesIO(taken["XLSX"])).active
    assert sheet is not None
    assert [list(each) for each in sheet.iter_rows(min_row=2, values_only=True)] == rows
    table = pyarrow.parquet.read_table(io.BytesIO(taken["PARQUET"]))
    assert [list(each.values()) for each in table.to_pylist()] == rows
    assert [list(each.values()) for each in json.loads(taken["JSON"])] == rows


def exported(page: Page, form: str) -> bytes:
    with page.expect_download() as coming:
        page.get_by_role("group", name="Export").get_by_role("button", name=form).click()
    assert coming.value.suggested_filename == f"query.{form.lower()}"
    return Path(coming.value.path()).read_bytes()


def test_a_long_answer_is_shown_two_hundred_rows_at_a_time(page: Page) -> None:
    go(page, "Query")
    write(page, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 450) select i from n")
    page.get_by_role("button", name="Run").click()
    cells = page.get_by_role("region", name="What it found").get_by_role("cell")
    expect(cells).to_have_count(200)
    page.get_by_role("button", name="250 more").click()
    expect(cells).to_have_count(400)
    page.get_by_role("button", name="50 more").click()
    expect(cells.last).to_have_text("450")


def test_a_query_that_was_kept_is_opened_again_and_replaced(page: Page, installed: Platform) -> None:
    for number in range(20):
        kept = json.dumps({"sql": f"select {number} as kept", "note": f"number {number}"}).encode()
        assert installed.ask("PUT", f"/v1/queries/kept-{number:02}", kept, headers=ADMIN).status == 200
    go(page, "Query")
    saved = page.get_by_role("region", name="Saved queries")
    expect(saved.get_by_role("link").first).to_have_text("kept-00")
    last = saved.get_by_role("link").last
    assert last.evaluate(IS_UNCUT), "the list goes on below its edge"
    saved.get_by_role("link", name="kept-19").click()
    expect(page.get_by_role("textbox", name="The query")).to_have_text("select 19 as kept")
    expect(saved.get_by_role("link", name="kept-19")).to_have_attribute("aria-current", "true")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("region", name="What it found").get_by_role("cell")).to_have_text(["19"])
    write(page, "select 91 as kept")
    form = begin(page, "Save…")
    expect(form.get_by_label("Name")).to_have_value("kept-19")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    page.reload()
    expect(page.get_by_role("textbox", name="The query")).to_have_text("select 91 as kept")
    assert ask(installed, "/v1/queries/kept-19")["sql"] == "select 91 as kept"


IS_UNCUT = """element => {
    const { bottom } = element.getBoundingClientRect();
    for (let box = element.parentElement; box !== document.body; box = box.parentElement) {
        if (getComputedStyle(box).overflowY !== "visible" && box.getBoundingClientRect().bottom < bottom) return false;
    }
    return true;
}"""
