"""The page where an installation is looked after: calls, events, flows, settings; a real browser on a real one."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched, axe
from tests.system.conftest import started
from tests.system.console import PASSWORD, go, row, shot, tab_to
from tests.system.driver import Platform, eventually
from tests.unit.observe.alerts.servers import Posts, http_server

HOSTILE = "<img src=x onerror=window.pwned=1>"
BROKEN = f"""\
import json


def handle(event, context):
    print("priced", {HOSTILE!r})
    order = json.loads(event.body)
    total = order["price"] * order["count"]
    return {{"statusCode": 200, "headers": {{"X-Note": {HOSTILE!r}}}, "body": {{"total": total, "note": {HOSTILE!r}}}}}
"""
MENDED = BROKEN.replace('order["count"]', 'order.get("count", 1)')
KEPT = ("--annotation", "com.dayfly.record.payloads=all", "--annotation", "com.openfaas.retry.attempts=1")
FLOW = {
    "description": HOSTILE,
    "steps": [
        {"do": "call", "name": "price", "function": "bill"},
        {"do": "parallel", "name": "both", "branches": {
            "parcel": [{"do": "map", "name": "each", "over": "input.lines", "steps": [
                {"do": "set", "name": "packed", "value": "item"}]}],
            "letter": [{"do": "set", "name": "written", "value": "price.note"}]}},
        {"do": "approval", "name": "approved", "prompt": f"Ship it? {HOSTILE}"},
        {"do": "call", "name": "again", "function": "bill", "body": "input",
         "catch": {"steps": [{"do": "set", "name": "refused", "value": "error.code"}]}},
    ],
}  # fmt: skip
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed() -> Iterator[Platform]:
    """A platform with a function that fails when an order has no count."""
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_ALERT_INTERVAL": "1s"}) as (platform, folder):
        platform.ok("namespace", "create", "other")
        platform.deploy_function(folder / "bill", BROKEN, *KEPT)
        yield platform


def write(page: Page, editor: Locator, text: str) -> None:
    """Put the text into the editor; over a coloured word the browser would try to keep its colour, as a style."""
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def bill(platform: Platform, order: object, path: str = "/function/bill/order") -> str:
    """Call the function and return the call's id."""
    return platform.ask("POST", path, json.dumps(order).encode()).headers["x-call-id"]


def test_calls_are_narrowed_and_one_is_looked_into(page: Page, installed: Platform) -> None:
    good, bad = bill(installed, {"price": 7, "count": 3}), bill(installed, {"price": 7}, f"/function/bill/{'%3Cb%3E'}")
    go(page, "Calls")
    expect(row(page, good[:8])).to_contain_text("200")
    page.get_by_label("Failed only").check()
    page.get_by_role("button", name="Show").click()
    expect(row(page, bad[:8])).to_contain_text("function_error")
    expect(row(page, good[:8])).to_have_count(0)
    page.get_by_label("Status").fill("404")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("There is no such call.")).to_be_visible()
    page.go_back()
    page.get_by_label("Until").fill("1h")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("There is no such call.")).to_be_visible()
    page.go_back()
    page.get_by_label("Search these calls").fill("no such path")
    expect(page.get_by_text("None of these calls matches.")).to_be_visible()
    page.get_by_label("Search these calls").fill(bad)
    page.get_by_role("link", name=f"Call {bad} of bill").click()
    attempt = page.get_by_role("region", name="Attempt 1")
    expect(attempt).to_contain_text("worked on by the function")
    expect(attempt.get_by_label("Request's body")).to_have_text('{\n  "price": 7\n}')
    expect(attempt.get_by_label("Answer's body")).to_contain_text("KeyError")
    expect(page.get_by_role("log")).to_contain_text(f"priced {HOSTILE}")
    shot(page, "call")


def test_a_call_is_replayed_and_the_answers_are_compared(page: Page, installed: Platform) -> None:
    failed = [bill(installed, {"price": price}) for price in (5, 6)]
    installed.deploy_function(installed.data_dir.parent / "bill", MENDED, *KEPT)
    go(page, "Calls")
    page.get_by_label("Search these calls").fill(failed[0])
    page.get_by_role("link", name=f"Call {failed[0]} of bill").click()
    page.get_by_role("button", name="Replay…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Replay").click()
    expect(dialog).to_contain_text("The answer is another. Status 500 → 200, revision 1 → 2")
    bodies = dialog.get_by_label("How the bodies differ")
    expect(bodies).to_contain_text('before: "code": "function_failed"'.replace("before: ", ""))
    expect(bodies.locator(".came")).to_contain_text(['"total": 5'])
    shot(page, "replay")
    dialog.get_by_role("link", name="Look at the new call").click()
    expect(page.get_by_role("region", name="Attempt 1")).to_contain_text(f"replay {failed[0]}")
    go(page, "Calls")
    page.get_by_label("Failed only").check()
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Search these calls").fill(failed[1])
    page.get_by_role("button", name="Replay the 1 that failed…").click()
    dialog.get_by_role("button", name="Replay").click()
    expect(dialog.get_by_role("status")).to_have_text("1 of 1 replayed, 1 answered well.")
    dialog.get_by_role("button", name="Close").click()


def test_a_trigger_is_made_tried_paused_and_removed(page: Page, window: Watched, installed: Platform) -> None:
    go(page, "Events")
    page.get_by_role("button", name="Create a trigger…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("nightly")
    form.get_by_role("combobox", name="Function").select_option("bill")
    form.get_by_label("Schedule").fill("every now and then")
    with window.refused("400 (Bad Request)"):
        form.get_by_role("button", name="Create").click()
    expect(form.get_by_label("Schedule")).to_have_accessible_description(re.compile("every now and then"))
    form.get_by_label("Schedule").fill("0 3 * * *")
    form.get_by_role("button", name="Create").click()
    expect(row(page, "nightly")).to_contain_text("running")
    expect(row(page, "nightly")).to_contain_text("Clock 0 3 * * *")
    page.get_by_role("button", name="Try nightly").click()
    form.get_by_label("The event's data").fill('{"price": 2, "count": 4}')
    form.get_by_role("button", name="Give it").click()
    expect(form.get_by_role("status")).to_have_text("Its calls are in the queue.")
    form.get_by_role("button", name="Close").click()
    eventually("the trigger's call is made", lambda: "trigger nightly" in installed.ok("calls"))
    page.get_by_role("button", name="Pause nightly").click()
    expect(row(page, "nightly")).to_contain_text("paused")
    shot(page, "triggers")
    page.get_by_role("button", name="Resume nightly").click()
    expect(row(page, "nightly")).to_contain_text("running")
    page.get_by_role("button", name="Change nightly").click()
    expect(form.get_by_role("combobox", name="Function")).to_have_value("bill")
    form.get_by_label("Schedule").fill("0 4 * * *")
    form.get_by_role("button", name="Save").click()
    expect(row(page, "nightly")).to_contain_text("Clock 0 4 * * *")
    page.get_by_role("button", name="Remove nightly").click()
    form.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There is no trigger.")).to_be_visible()


def test_a_dead_letter_is_read_redriven_and_purged(page: Page, installed: Platform) -> None:
    folder = installed.data_dir.parent / "fragile"
    installed.deploy_function(folder, BROKEN.replace('"count"', "'count'"), *KEPT)
    kept, gone = (bill(installed, {"price": price}, "/async-function/fragile") for price in (1, 2))
    go(page, "Events", "Dead letters")
    expect(row(page, kept[:8])).to_contain_text("500")
    expect(row(page, gone[:8])).to_contain_text("500")
    shot(page, "dead-letters")
    page.get_by_role("button", name=f"Read call {kept}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("The last answer")).to_contain_text("KeyError")
    dialog.get_by_role("button", name="Close").click()
    installed.deploy_function(folder, MENDED, *KEPT)
    page.get_by_label(f"Choose call {kept}").check()
    page.get_by_role("button", name="Redrive 1 chosen").click()
    expect(page.get_by_role("status")).to_contain_text(["1 call begin anew."])
    expect(row(page, kept[:8])).to_have_count(0)
    eventually("it is done", lambda: "200" in installed.ok("call", kept))
    page.get_by_role("button", name="Purge all…").click()
    dialog.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("There is no dead letter.")).to_be_visible()


def test_a_queued_call_is_cancelled(page: Page, installed: Platform) -> None:
    answer = installed.ask("POST", "/async-function/bill", b"{}", headers={"X-Delay": "1h"})
    call = answer.headers["x-call-id"]
    go(page, "Events", "Queue")
    expect(row(page, call)).to_contain_text("queued")
    page.get_by_role("button", name=f"Cancel call {call}").click()
    expect(row(page, call)).to_have_count(0)


def test_a_flow_is_written_run_approved_and_rerun(page: Page) -> None:
    """The run is a picture of buttons: by keyboard as by mouse, in words as in colours."""
    go(page, "Flows")
    page.get_by_role("button", name="Create a flow…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("order")
    form.get_by_role("radio", name="Document").check()
    form.get_by_label("Document, as JSON").fill("{")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    form.get_by_label("Document, as JSON").fill(json.dumps(FLOW))
    form.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="order", level=1).wait_for()
    expect(page.get_by_role("img", name="approved approval")).to_be_visible()
    page.get_by_label("Input").fill('{"price": 3, "count": 1, "lines": ["a", "b"]}')
    page.get_by_role("button", name="Run").click()
    page.get_by_role("heading", name="Run of order").wait_for()
    picture = page.get_by_role("group", name="Steps of the run")
    expect(picture.get_by_role("button", name="packed set · done, at both.parcel.each.1.packed")).to_be_visible()
    waiting = picture.get_by_role("button", name="approved approval · waiting")
    waiting.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(waiting).to_be_focused()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Step approved")
    expect(panel).to_contain_text(f"Ship it? {HOSTILE}")
    shot(page, "flow-run")
    panel.get_by_label("Comment").fill("go")
    panel.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").and_(page.locator(".state"))).to_have_text("done")
    expect(panel).to_contain_text("Said go")
    picture.get_by_role("button", name="price call · done").click()
    price = page.get_by_role("region", name="Step price")
    expect(price.get_by_label("Result of price")).to_contain_text(HOSTILE)
    price.get_by_role("button", name="Rerun from here").click()
    expect(page.get_by_role("region", name="The run")).to_contain_text("at price")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_role("status").and_(page.locator(".state"))).to_have_text("cancelled")


def test_a_token_is_shown_once_lets_in_and_is_revoked(page: Page, installed: Platform) -> None:
    go(page, "Settings", "Users and tokens")
    page.get_by_role("button", name="Make a token…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What it is for").fill(HOSTILE)
    dialog.get_by_label("Role").select_option("deploy")
    dialog.get_by_label("Namespace").select_option("other")
    dialog.get_by_label("Good for").select_option("an hour")
    dialog.get_by_role("button", name="Make").click()
    token = dialog.get_by_label("The token").inner_text().strip()
    shown = {"Authorization": f"Bearer {token}"}
    assert installed.ask("GET", "/v1/namespaces/other/functions", headers=shown).status == 200
    assert installed.ask("GET", "/v1/namespaces/openfaas-fn/functions", headers=shown).status == 403
    dialog.get_by_role("button", name="I have it").click()
    token_row = row(page, HOSTILE)
    expect(token_row).to_contain_text("expires soon")
    assert token not in page.content()
    shot(page, "tokens")
    token_row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(token_row).to_have_count(0)
    assert installed.ask("GET", "/v1/namespaces/other/functions", headers=shown).status == 401


def test_a_secret_is_written_and_never_shown(page: Page) -> None:
    go(page, "Settings", "Secrets")
    page.get_by_role("button", name="Write a secret…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("api-key")
    dialog.get_by_label("What is in it").fill("hunter2")
    dialog.get_by_role("button", name="Write").click()
    expect(row(page, "api-key")).to_contain_text("nobody")
    assert "hunter2" not in page.content()
    page.get_by_role("button", name="Remove api-key").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There is no secret in openfaas-fn.")).to_be_visible()


def test_a_namespace_gets_a_quota(page: Page, window: Watched, installed: Platform) -> None:
    go(page, "Settings", "Namespaces")
    page.get_by_role("button", name="Quota of other").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Functions").fill("3")
    dialog.get_by_label("Memory of all replicas").fill("a lot")
    with window.refused("400 (Bad Request)"):
        dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("a lot")
    dialog.get_by_label("Memory of all replicas").fill("1Gi")
    dialog.get_by_role("button", name="Save").click()
    expect(row(page, "other")).to_contain_text("0 of 3")
    assert "0 of 1Gi" in installed.ok("namespace", "get", "other")


def test_a_budget_is_set_and_told_how_far_it_is_used(page: Page, installed: Platform) -> None:
    bill(installed, {"price": 1})
    go(page, "Settings", "Budgets and costs")
    dialog = page.get_by_role("dialog")
    for of, amount in (("bill", "500"), ("all functions of the namespace together", "9000")):
        page.get_by_role("button", name="Set a budget…").click()
        dialog.get_by_role("combobox").first.select_option(of)
        dialog.get_by_label("At most").fill(amount)
        dialog.get_by_role("button", name="Set").click()
        expect(dialog).to_have_count(0)
    expect(page.get_by_role("region", name="Budgets").get_by_role("row").filter(has_text="bill")).to_contain_text(
        re.compile(r"[1-9]\d* of 500 calls a day")
    )
    expect(row(page, "the namespace")).to_contain_text("of 9,000 calls a day")
    expect(page.get_by_role("table", name="What functions used")).to_contain_text("bill")
    shot(page, "budgets")


def test_what_a_role_may_not_is_not_offered(window: Watched, installed: Platform, console: str) -> None:
    """Who may look is offered no change, and who may administer one namespace nothing of the installation."""
    page = window.page
    for role, space, there in (("view", "openfaas-fn", 0), ("admin", "other", 1)):
        token = installed.ok("token", "create", "--role", role, "--namespace", space).strip()
        page.goto(console)
        page.evaluate("sessionStorage.clear()")
        page.reload()
        page.get_by_role("radio", name="Token").check()
        page.get_by_role("textbox", name="Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Functions").wait_for()
        go(page, "Calls")
        page.get_by_role("link", name=re.compile("^Call ")).or_(page.get_by_text("no such call")).first.wait_for()
        expect(page.get_by_role("button", name=re.compile("Replay"))).to_have_count(0)
        go(page, "Events")
        page.get_by_text("There is no trigger.").wait_for()
        expect(page.get_by_role("button", name="Create a trigger…")).to_have_count(there)
        go(page, "Settings", "Namespaces")
        expect(row(page, space)).to_be_visible()
        expect(page.get_by_role("button", name="Make a namespace…")).to_have_count(0)
        expect(page.get_by_role("button", name=re.compile("^Quota"))).to_have_count(0)
        expect(page.get_by_label("Settings", exact=True).get_by_role("link", name="Users and tokens")).to_have_count(
            there
        )
    page.evaluate("sessionStorage.clear()")
    assert window.errors == []


def test_the_keyboard_is_enough(page: Page, console: str, installed: Platform) -> None:
    bill(installed, {"price": 1})
    page.goto(f"{console}/#/calls")
    page.get_by_role("heading", name="Calls").wait_for()
    first = page.get_by_role("link", name=re.compile("^Call ")).first
    first.wait_for()
    first.evaluate("link => link.dataset.first = 1")
    tab_to(page, page.locator("[data-first]"))
    page.keyboard.press("Enter")
    page.get_by_role("region", name="Attempt 1").wait_for()
    tab_to(page, page.get_by_role("button", name="Replay…").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_question_is_asked_kept_and_exported(page: Page, window: Watched, installed: Platform) -> None:
    bill(installed, {"price": 1})
    go(page, "Query")
    page.get_by_role("button", name="Run").click()
    found = page.get_by_role("region", name="What it found")
    expect(found.get_by_role("row").filter(has_text="bill")).to_be_visible()
    shot(page, "query")
    editor = page.get_by_role("textbox", name="The query")
    write(page, editor, "delete from calls")
    with window.refused("400 (Bad Request)"):
        page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").filter(has_text=re.compile(r"\w"))).to_be_visible()
    write(page, editor, f"select '{HOSTILE}' as note, 17 as many, null as missing")
    page.keyboard.press("Control+Enter")
    expect(found.get_by_role("cell")).to_have_text([HOSTILE, "17", "null"])
    with page.expect_download() as coming:
        page.get_by_role("group", name="Export").get_by_role("button", name="CSV").click()
    assert coming.value.suggested_filename == "query.csv"
    assert Path(coming.value.path()).read_text().splitlines()[1].endswith(",17,")
    page.get_by_role("button", name="Save…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("noted")
    dialog.get_by_label("What it is for").fill(HOSTILE)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="noted")).to_have_attribute("aria-current", "true")
    page.get_by_role("button", name="Remove noted").click()
    expect(page.get_by_role("link", name="noted")).to_have_count(0)
    page.get_by_text("rollups", exact=True).first.click()


def test_the_machine_is_shown_with_all_that_runs_there(page: Page, installed: Platform) -> None:
    bill(installed, {"price": 1})
    page.get_by_label("Main").get_by_role("link", name="Machine", exact=True).click()
    expect(page.get_by_role("region", name="Memory", exact=True).first).to_contain_text("GiB")
    expect(page.get_by_role("region", name="Network", exact=True).first).to_contain_text("/s in")
    expect(page.get_by_role("heading", name="Processors at work")).to_be_visible()
    tabs = page.get_by_label("Machine", exact=True)
    tabs.get_by_role("link", name=re.compile("^Processes")).click()
    expect(row(page, "supervisor")).to_be_visible()
    expect(row(page, "bill.openfaas-fn").first).to_be_visible()
    tabs.get_by_role("link", name=re.compile("^Replicas")).click()
    shot(page, "machine")
    row(page, "bill").get_by_role("button", name="Follow").or_(
        row(page, "bill").get_by_role("button", name=re.compile("^Log of"))
    ).first.click()
    log = page.get_by_role("dialog").get_by_role("log")
    expect(log).to_contain_text(f"priced {HOSTILE}")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()


def test_what_the_platform_says_is_followed_held_and_searched(page: Page, installed: Platform, tmp_path: Path) -> None:
    page.get_by_label("Main").get_by_role("link", name="Machine", exact=True).click()
    page.get_by_label("Machine", exact=True).get_by_role("link", name=re.compile("^Processes")).click()
    link = page.get_by_role("button", name=re.compile("^Follow the log of supervisor "))
    link.wait_for()
    tab_to(page, link)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Log of supervisor")
    log, told = dialog.get_by_role("log", name="Log of supervisor"), dialog.get_by_role("status")
    killed = log.get_by_text("egress was killed by signal 9; starting it again")

    def kill() -> None:
        os.kill(installed.pids("egress")[0], signal.SIGKILL)

    kill()
    expect(killed).to_have_count(1)
    # Held still, what comes waits; the keyboard is enough for it.
    pause = dialog.get_by_role("button", name="Pause")
    tab_to(page, pause)
    page.keyboard.press("Space")
    expect(pause).to_have_attribute("aria-pressed", "true")
    eventually("it is back", lambda: installed.log().count("egress is back") == 1)
    kill()
    eventually("it is back again", lambda: installed.log().count("egress is back") == 2)
    expect(told).to_contain_text(re.compile("Paused; [1-9] new lines wait"))
    expect(killed).to_have_count(1)
    page.keyboard.press("Space")
    expect(killed).to_have_count(2)
    shot(page, "machine-log")
    # Searched, the others are left out.
    dialog.get_by_label("Search these lines").fill("Egress is BACK")
    expect(killed).to_have_count(0)
    expect(log.get_by_text("egress is back")).to_have_count(2)
    expect(told).to_contain_text(re.compile("^2 of [0-9]+ lines$"))
    page.evaluate(axe(tmp_path))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
    page.keyboard.press("Escape")  # empties the search, as everywhere in this browser
    expect(dialog.get_by_label("Search these lines")).to_have_value("")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    # The queue's server has its own, which was never shown before.
    page.get_by_role("button", name=re.compile("^Follow the log of nats-server ")).click()
    expect(page.get_by_role("log", name="Log of nats-server")).to_contain_text("Server is ready")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()


def test_an_alert_fires_and_is_silenced(page: Page) -> None:
    go(page, "Settings", "Alerts")
    page.get_by_role("button", name="Create a rule…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("always")
    dialog.get_by_label("Watches").select_option("PromQL")
    dialog.get_by_role("textbox", name="Expression").fill("vector(42)")
    dialog.get_by_label("What people read with it").fill(HOSTILE)
    dialog.get_by_role("button", name="Create").click()
    alerts = page.get_by_role("region", name="Alerts")
    expect(alerts.get_by_role("row").filter(has_text="always")).to_contain_text("firing")
    expect(alerts).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Silence always").click()
    dialog.get_by_label("Why").fill("the migration")
    dialog.get_by_role("button", name="Silence", exact=True).click()
    expect(alerts.get_by_role("row").filter(has_text="always")).to_contain_text("silenced")
    expect(page.get_by_role("region", name="History").get_by_role("row").filter(has_text="always")).to_be_visible()
    shot(page, "alerts")
    page.get_by_role("region", name="Silences").get_by_role("button", name=re.compile("^End")).click()
    expect(page.get_by_role("region", name="Silences")).to_have_count(0)
    page.get_by_role("button", name="Create a receiver…").click()
    dialog.get_by_label("Name", exact=True).fill("ops")
    dialog.get_by_label("By").select_option("Webhook")
    dialog.get_by_label("URL").fill("http://127.0.0.1:9/hook")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Receivers")).to_contain_text("http://127.0.0.1:9/hook")
    page.get_by_role("button", name="Remove ops").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("region", name="Receivers")).to_contain_text("Nobody is told.")
    page.get_by_role("button", name="Remove always").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("region", name="Rules")).not_to_contain_text("always")


def test_alerts_that_fired_are_told_of_page_by_page(page: Page, installed: Platform) -> None:
    lines = " or ".join(f'label_replace(vector({each}), "part", "p{each}", "", "")' for each in range(30, 60))
    installed.ok("alert", "rule", "set", "thirty", "--kind", "promql", "--expr", lines)
    go(page, "Settings", "Alerts")
    history = page.get_by_role("region", name="History")
    rows = history.get_by_role("row")
    expect(rows.filter(has_text="thirty")).to_have_count(25)
    history.get_by_role("button", name="Older alerts").click()
    expect(rows.filter(has_text="thirty")).to_have_count(30)
    expect(rows.filter(has_text="part=p37")).to_contain_text(re.compile("firing.*37.*still", re.S))
    expect(rows.filter(has_text="always")).to_contain_text(re.compile("resolved.*42.*until", re.S))
    history.get_by_label("Rule").fill("always")
    history.get_by_role("button", name="Show").click()
    expect(rows.filter(has_text="thirty")).to_have_count(0)
    expect(rows.filter(has_text="always")).to_have_count(1)
    installed.ok("alert", "rule", "remove", "thirty")
    history.get_by_label("Rule").fill("thirty")
    history.get_by_role("button", name="Show").click()
    expect(rows.filter(has_text="resolved")).to_have_count(25)
    history.get_by_label("Rule").fill("nobody's")
    history.get_by_role("button", name="Show").click()
    expect(history).to_contain_text("No such alert has fired.")


def test_routes_and_hosts_are_looked_after(page: Page, window: Watched, installed: Platform) -> None:
    go(page, "Settings", "Routes")
    page.get_by_role("button", name="Create a route…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").first.fill("shop")
    form.get_by_label("Host").fill("Shop Front")
    form.get_by_role("textbox", name="Path").fill("/*")
    form.get_by_label("Function 1").first.select_option("bill")
    with window.refused("400 (Bad Request)"):
        form.get_by_role("button", name="Create").click()
    expect(form.get_by_label("Host")).to_have_accessible_description(re.compile("not a host"))
    form.get_by_label("Host").fill("shop.example.org")
    form.get_by_role("button", name="Create").click()
    expect(row(page, "shop.example.org/*")).to_contain_text("bill")
    hosts = page.get_by_role("region", name="Hosts")
    hosts.get_by_role("textbox", name="Host").fill("*.other.example.org")
    hosts.get_by_label("To").select_option("other")
    hosts.get_by_role("button", name="Grant").click()
    expect(hosts.get_by_role("row").filter(has_text="*.other.example.org")).to_contain_text("other")
    assert "*.other.example.org" in installed.ok("route", "hosts")
    shot(page, "routes")
    hosts.get_by_role("button", name="Take back *.other.example.org from other").click()
    form.get_by_role("button", name="Take back").click()
    expect(hosts).to_contain_text("No host was granted")
    page.get_by_role("button", name="Remove shop").click()
    form.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There is no route in openfaas-fn.")).to_be_visible()


def test_a_report_is_written_read_sent_and_removed(page: Page, window: Watched, installed: Platform) -> None:
    bill(installed, {"price": 1, "count": 1})
    posts = Posts()
    with http_server(posts) as port:
        target = ("--kind", "webhook", "--url", f"http://127.0.0.1:{port}/reports")
        installed.ok("alert", "receiver", "set", "managers", *target)
        go(page, "Settings", "Reports")
        page.get_by_role("button", name="Create a report…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox", name="Name").fill("daily")
        dialog.get_by_role("radio", name="Day").check()
        dialog.get_by_label("Time zone").fill("Mars/Base")
        dialog.get_by_label("managers").check()
        with window.refused("400 (Bad Request)"):
            dialog.get_by_role("button", name="Create").click()
        expect(dialog.get_by_label("Time zone")).to_have_accessible_description(re.compile("no time zone 'Mars/Base'"))
        dialog.get_by_label("Time zone").fill("Europe/Paris")
        dialog.get_by_role("button", name="Create").click()
        expect(row(page, "daily")).to_contain_text("each day, 07:00 Europe/Paris")
        page.get_by_role("button", name="Pause daily").click()
        expect(row(page, "daily")).to_contain_text("paused")
        page.get_by_role("button", name="Send daily now").click()
        expect(page.get_by_text("daily was sent to managers.")).to_be_visible()
        assert json.loads(posts.taken[-1].body)["title"].startswith("Daily report: daily")
    page.get_by_role("link", name="daily").click()
    page.get_by_role("radio", name="So far").check()
    functions = page.get_by_role("region", name="Functions", exact=True)
    expect(functions.get_by_role("row").filter(has_text="bill.openfaas-fn")).to_be_visible()
    page.get_by_role("button", name="Table of Calls").click()
    expect(page.get_by_role("region", name="Calls as a table")).to_be_visible()
    page.get_by_role("button", name="Table of Calls").click()
    shot(page, "report")
    for form, begins in (("PDF", b"%PDF"), ("HTML", b"<!doctype html>")):
        with page.expect_download() as coming:
            page.get_by_role("button", name=form).click()
        assert coming.value.suggested_filename == f"daily.{form.lower()}"
        assert Path(coming.value.path()).read_bytes().startswith(begins)
    page.get_by_role("link", name="Reports").first.click()
    page.get_by_label("Settings", exact=True).get_by_role("link", name="Reports").click()
    page.get_by_role("button", name="Remove daily").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(row(page, "daily")).to_have_count(0)
    installed.ok("alert", "receiver", "remove", "managers")


def test_who_changed_what_is_told_and_checked(page: Page, installed: Platform) -> None:
    installed.ok("namespace", "update", "other", "--label", "team=a")
    go(page, "Settings", "Audit log")
    page.get_by_label("Action").fill("namespace")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("button", name=re.compile(r"^Entry \d+: namespace\.")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("team")
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_role("status").filter(has_text="The chain is whole")).to_be_visible()
    shot(page, "audit")
