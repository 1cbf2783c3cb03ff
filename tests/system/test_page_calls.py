"""Calls on the page: the record of each, those that something else makes, those that failed for good, and flows."""

import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.contract.source.rig import wait_for_port
from tests.ports import free_port
from tests.system.conftest import started
from tests.system.console import ADMIN, PASSWORD, go, row
from tests.system.driver import Platform, eventually

from dayfly.queue.binary import find_server

TELLER = """\
import time


def handle(event, context):
    print("asked for", event.path, "with", event.body.decode())
    if event.path == "/slow":
        time.sleep(1)
    status = 500 if event.path == "/bad" or b"fail" in event.body else 404 if event.path == "/gone" else 200
    kind = event.headers.get("content-type", "application/json")
    return {"statusCode": status, "headers": {"Content-Type": kind, "X-Version": "one"}, "body": event.body}
"""
KEPT = ("--annotation", "com.dayfly.record.payloads=all", "--annotation", "com.openfaas.retry.attempts=1")
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that files are put into."""
    return tmp_path_factory.mktemp("drop")


@pytest.fixture(scope="module")
def nats_port() -> Iterator[int]:
    """The port of a server of NATS."""
    port = free_port()
    command = [str(find_server(os.environ).path), "-a", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def installed(drop: Path, nats_port: int) -> Iterator[Platform]:
    """A platform with a function that tells what it is asked, and keeps what it was sent."""
    environ = {
        "DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_TRIGGER_FOLDERS": str(drop),
        "DAYFLY_TRIGGER_ALLOW": f"127.0.0.1:{nats_port},127.0.0.1:9",
    }  # fmt: skip
    with started(environ) as (platform, folder):
        platform.deploy_function(folder / "teller", TELLER, *KEPT)
        yield platform


def call(platform: Platform, path: str, body: bytes = b"{}", before: str = "/function/teller") -> str:
    """Call the function and return the call's id."""
    return platform.ask("POST", before + path, body).headers["x-call-id"]


def api(platform: Platform, path: str) -> Any:
    return platform.ask("GET", f"/v1/namespaces/openfaas-fn/{path}", headers=ADMIN).json()


def test_each_filter_leaves_what_it_says_and_no_more(page: Page, installed: Platform) -> None:
    installed.deploy_function(installed.data_dir.parent / "other", TELLER)
    made = {
        "good": call(installed, "/good"), "bad": call(installed, "/bad"), "gone": call(installed, "/gone"),
        "slow": call(installed, "/slow"), "queued": call(installed, "/good", before="/async-function/teller"),
        "other": call(installed, "/good", before="/function/other"),
    }  # fmt: skip
    eventually("all are over", lambda: len(api(installed, "records?limit=100")) == len(made))
    go(page, "Calls")
    form = page.get_by_role("form", name="Which calls")

    def left(fields: dict[str, str], *, failed: bool = False) -> set[str]:
        """Which of them are shown once the form says this."""
        for label in ("Function", "Since", "Until", "As slow as", "Status", "Trigger"):
            form.get_by_label(label).fill(fields.get(label, ""))
        form.get_by_label("Failed only").set_checked(failed)
        form.get_by_role("button", name="Show").click()
        expect(page.get_by_text("Asking for the calls…")).to_have_count(0)
        shown = page.get_by_role("link", name=re.compile("^Call ")).or_(page.get_by_text("There is no such call."))
        shown.first.wait_for()
        links = [link.get_attribute("href") or "" for link in page.get_by_role("link", name=re.compile("^Call ")).all()]
        return {name for name, one in made.items() if any(link.endswith(one) for link in links)}

    everything = set(made)
    assert left({}) == everything
    assert left({"Function": "other"}) == {"other"}
    assert left({"Status": "404"}) == {"gone"}
    assert left({"Status": "5xx"}) == {"bad"}
    assert left({}, failed=True) == {"bad"}
    assert left({"As slow as": "900ms"}) == {"slow"}
    assert left({"Trigger": "queue"}) == {"queued"}
    assert left({"Since": "1h"}) == everything
    assert left({"Until": "1h"}) == set()
    assert left({"Function": "teller", "Status": "2xx", "As slow as": "900ms"}) == {"slow"}
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(form.get_by_label("As slow as")).to_have_value("900ms")
    expect(page.get_by_role("link", name=re.compile("^Call "))).to_have_count(1)
    form.get_by_label("Status").fill("9")
    form.get_by_role("button", name="Show").click()
    assert form.get_by_label("Status").evaluate("input => input.validity.patternMismatch")


def test_one_call_shows_where_its_time_went_and_what_it_was(page: Page, installed: Platform) -> None:
    """A call that starts a replica, and one that waits for another to be done with it."""
    alone = ("--label", "com.openfaas.scale.max=1", "--max-inflight", "1")
    installed.deploy_function(installed.data_dir.parent / "narrow", TELLER, *KEPT, *alone)
    installed.ok("scale", "narrow", "0")
    eventually("it sleeps", lambda: api(installed, "functions/narrow")["state"] == "idle")
    first = call(installed, "/good", b'{"n": 1}', "/function/narrow")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: call(installed, "/slow", b"", "/function/narrow"), range(2)))
    records = {one: installed.ask("GET", f"/v1/calls/{one}/records", headers=ADMIN).json()[0] for one in (first, *both)}
    held = max(both, key=lambda one: records[one].get("wait_ms", 0))
    assert records[first]["cold"]
    assert records[held]["wait_ms"] > 500
    for one, phases in ((first, ["init", "run"]), (held, ["wait", "run"])):
        page.goto("about:blank")
        page.goto(f"{installed.status()['console_url']}/#/calls/{one}")
        attempt = page.get_by_role("region", name="Attempt 1")
        line = attempt.locator(".timeline")
        line.wait_for()
        told = {term.inner_text(): term for term in line.locator("dt").all()}
        assert set(phases) <= set(told)
        widths = {
            name: line.locator(f"rect.{name}").evaluate("bar => bar.getBoundingClientRect().width") for name in told
        }
        whole = line.locator("svg").evaluate("svg => svg.getBoundingClientRect().width")
        assert sum(widths.values()) == pytest.approx(whole, rel=0.01)
        shares = {name: records[one].get(f"{name}_ms", 0) for name in told}
        for name, width in widths.items():
            assert width / whole == pytest.approx(shares[name] / sum(shares.values()), abs=0.02), name
    page.goto("about:blank")
    page.goto(f"{installed.status()['console_url']}/#/calls/{first}")
    expect(page.get_by_text("cold", exact=True)).to_be_visible()
    expect(page.get_by_role("log", name="Log of the call")).to_have_text(re.compile('asked for /good with {"n": 1}'))
    attempt.get_by_text("1 header").or_(attempt.get_by_text(re.compile("^[0-9]+ headers"))).first.click()
    expect(attempt.get_by_label("Answer's body")).to_have_text(re.compile(r'{\s*"n": 1\s*}'))


def test_a_replay_changes_what_is_sent_and_where_to(page: Page, installed: Platform) -> None:
    """The answer of another revision, and of another body: headers and bodies are compared line by line."""
    one = call(installed, "/good", b'{"n": 1}')
    newer = TELLER.replace('"X-Version": "one"', '"X-Version": "two"')
    installed.deploy_function(installed.data_dir.parent / "teller", newer, *KEPT)
    go(page, "Calls")
    page.goto(f"{page.url.split('#')[0]}#/calls/{one}")
    dialog = replayed(page)
    headers = dialog.get_by_label("How the headers differ")
    expect(headers.locator(".went")).to_have_text(re.compile("before: x-version: one"))
    expect(headers.locator(".came")).to_have_text(re.compile("now: x-version: two"))
    expect(headers.locator(".same").filter(has_text="content-type: application/json")).to_have_count(1)
    expect(dialog).to_contain_text("revision 1 → 2")
    dialog.get_by_role("button", name="Close").click()
    dialog = replayed(page, revision="1")
    expect(dialog).to_contain_text("The answer is the same.")
    expect(dialog).to_contain_text("revision 1 → 1")
    expect(dialog.get_by_label("How the headers differ").locator(".came")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    dialog = replayed(page, path="/gone?really=yes", body="[1, 2]")
    expect(dialog).to_contain_text("Status 200 → 404")
    bodies = dialog.get_by_label("How the bodies differ")
    expect(bodies.locator(".went").first).to_contain_text("{")
    expect(bodies.locator(".came").first).to_contain_text("[")
    dialog.get_by_role("link", name="Look at the new call").click()
    attempt = page.get_by_role("region", name="Attempt 1")
    expect(attempt).to_contain_text("POST /gone")
    expect(attempt).to_contain_text(f"replay {one}")
    expect(attempt.get_by_label("Request's body")).to_have_text(re.compile(r"\[\s*1,\s*2\s*\]"))


def replayed(page: Page, *, revision: str = "", path: str = "", body: str = "") -> Locator:
    """Replay the call that is looked at, and return the dialog in which its answer is compared."""
    page.get_by_role("button", name="Replay…").click()
    dialog = page.get_by_role("dialog")
    if revision:
        dialog.get_by_label("Revision").fill(revision)
    if path:
        dialog.get_by_label("Change what is sent").check()
        dialog.get_by_label("Path and query").fill(path)
        dialog.get_by_label("Body").fill(body)
    dialog.get_by_role("button", name="Replay", exact=True).click()
    return dialog


def trigger(page: Page, source: str, name: str, **fields: str) -> None:
    """Make a trigger that calls the function, by the form for this kind of source."""
    page.get_by_role("button", name="Create a trigger…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).first.fill(name)
    form.get_by_role("combobox", name="Function").first.select_option("teller")
    form.get_by_role("combobox", name="Source").select_option(source)
    for label, value in fields.items():
        field = form.get_by_label(re.compile(f"^{label}")).last
        if field.evaluate("element => element.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form).to_have_count(0)
    expect(row(page, name)).to_be_visible()


def test_what_is_made_by_the_form_fires_is_paused_and_goes(
    page: Page, installed: Platform, drop: Path, nats_port: int
) -> None:
    """A clock, a folder, a webhook, a server of NATS, and another function's end: each calls the function."""
    installed.deploy_function(installed.data_dir.parent / "before", TELLER)
    installed.ok("secret", "create", "signing", stdin="0123456789abcdef")
    go(page, "Events")
    trigger(page, "Clock", "clock", Schedule="@every 1s")
    trigger(page, "Folder", "folder", Folder=str(drop), Names="*.txt")
    trigger(page, "Webhook", "hook", Secret="signing")
    trigger(page, "NATS", "nats", Servers=f"127.0.0.1:{nats_port}", Subjects="orders.>")
    trigger(page, "Function", "after", **{"Function": "before", "When it": "both"})
    for name in ("folder", "nats"):
        expect(row(page, name)).to_contain_text("running")
    (drop / "one.txt").write_text("from a folder")
    (drop / "one.png").write_text("not of this name")
    signed = hmac.new(b"0123456789abcdef", b"from a hook", hashlib.sha256).hexdigest()
    given = {"X-Hub-Signature-256": f"sha256={signed}", "X-GitHub-Delivery": "1", "X-GitHub-Event": "push"}
    assert installed.ask("POST", "/hooks/openfaas-fn/hook", b"from a hook", headers=given).status == 202
    publish(nats_port, "orders.new", b"from nats")
    call(installed, "/good", b"from before", "/async-function/before")
    words = ("from a folder", "from a hook", "from nats")
    eventually("each has called it", lambda: all(each in installed.ok("logs", "teller") for each in words))
    for name in ("folder", "hook", "nats", "after"):
        expect(row(page, name).get_by_role("cell").nth(2)).to_have_text(re.compile("^1"))
    expect(row(page, "clock").get_by_role("cell").nth(2)).to_have_text(re.compile("^[1-9]"))
    assert "not of this name" not in installed.ok("logs", "teller")
    page.get_by_role("button", name="Pause hook").click()
    expect(row(page, "hook")).to_contain_text("paused")
    assert installed.ask("POST", "/hooks/openfaas-fn/hook", b"from a hook", headers=given).status == 404, (
        "nobody is at the address of a paused one"
    )
    for name in ("clock", "folder", "hook", "nats", "after"):
        page.get_by_role("button", name=f"Remove {name}").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(row(page, name)).to_have_count(0)
    assert api(installed, "triggers") == []
    assert installed.ask("POST", "/hooks/openfaas-fn/hook", b"from a hook", headers=given).status == 404


def publish(port: int, subject: str, body: bytes) -> None:
    """Publish as a client of NATS does; return once the server has it."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b'CONNECT {"verbose": false}\r\nPUB %s %d\r\n%s\r\nPING\r\n' % (subject.encode(), len(body), body)
        )
        heard = b""
        while b"PONG" not in heard:
            heard += connection.recv(4096)


ELSEWHERE: dict[str, dict[str, str]] = {
    "CloudEvents": {"Types": "com.example.*, com.other"},
    "Kafka": {
        "Brokers": "127.0.0.1:9 127.0.0.1:10",
        "Topics": "clicks",
        "SASL": "scram-sha-256",
        "Begins with": "earliest",
    },
    "MQTT": {"Host": "127.0.0.1", "Port": "9", "Topics": "sensors/+/t", "Quality of service": "2"},
    "AMQP": {"Host": "127.0.0.1", "Port": "9", "Queue": "jobs"},
    "Redis": {"Host": "127.0.0.1", "Port": "9", "Database": "3", "Streams": "jobs"},
    "PostgreSQL": {"Host": "127.0.0.1", "Port": "9", "Database": "shop", "Channels": "orders", "Secret": "signing"},
    "S3 bucket": {"Endpoint": "http://127.0.0.1:9", "Bucket": "photos", "Suffix": ".jpg"},
}


def test_the_form_of_every_other_kind_says_what_it_means(page: Page, installed: Platform) -> None:
    """Their servers are nobody's here: that they are tried is told, and so is that nobody answers."""
    access = {"user": "dayfly", "password": "word"}
    installed.ok("secret", "create", "access", stdin=json.dumps(access))
    go(page, "Events")
    expected: dict[str, dict[str, object]] = {
        "cloudevents": {"types": ["com.example.*", "com.other"]},
        "kafka": {
            "brokers": ["127.0.0.1:9", "127.0.0.1:10"],
            "topics": ["clicks"],
            "sasl": "scram-sha-256",
            "start": "earliest",
        },
        "mqtt": {"host": "127.0.0.1", "port": 9, "topics": ["sensors/+/t"], "qos": 2},
        "amqp": {"host": "127.0.0.1", "port": 9, "queue": "jobs"},
        "redis": {"host": "127.0.0.1", "port": 9, "db": 3, "streams": ["jobs"]},
        "postgresql": {"host": "127.0.0.1", "port": 9, "database": "shop", "channels": ["orders"], "secret": "access"},
        "s3-bucket": {"endpoint": "http://127.0.0.1:9", "bucket": "photos", "suffix": ".jpg"},
    }
    for source, fields in ELSEWHERE.items():
        fields |= {"Secret": "access"} if "Secret" in fields else {}
        trigger(page, source, source.lower().replace(" ", "-"), **fields)
    kept = {each["spec"]["name"]: each["spec"]["source"] for each in api(installed, "triggers")}
    assert {name: source.items() >= expected[name].items() for name, source in kept.items()} == dict.fromkeys(
        expected, True
    )
    expect(row(page, "redis").locator(".reason")).to_contain_text("127.0.0.1")
    installed.ok("trigger", "remove", *kept)


def test_letters_that_are_chosen_are_purged_and_the_rest_redriven(page: Page, installed: Platform) -> None:
    dead = [call(installed, "/good", b"fail %d" % number, "/async-function/teller") for number in range(3)]
    go(page, "Events", "Dead letters")
    for one in dead:
        expect(row(page, one[:8])).to_contain_text("500")
    page.get_by_role("button", name=f"Read call {dead[0]}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The function answered 500")
    expect(dialog.get_by_label("The last answer")).to_have_text("fail 0")
    dialog.get_by_role("button", name="Close").click()
    page.get_by_label(f"Choose call {dead[0]}").check()
    page.get_by_role("button", name="Purge 1 chosen…").click()
    dialog.get_by_role("button", name="Keep them").click()
    expect(row(page, dead[0][:8])).to_have_count(1)
    page.get_by_role("button", name="Purge 1 chosen…").click()
    dialog.get_by_role("button", name="Purge", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(["1 call are gone."])
    expect(row(page, dead[0][:8])).to_have_count(0)
    page.get_by_role("button", name="Redrive all").click()
    expect(page.get_by_role("status")).to_contain_text(["2 calls begin anew."])
    eventually("they fail again", lambda: len(api(installed, "records?trigger=queue&failed=true&limit=100")) == 5)
    expect(row(page, dead[2][:8])).to_have_count(1)
    installed.ok("queue", "purge", "--all")


FLOW = {
    "steps": [
        {"do": "call", "name": "first", "function": "teller"},
        {"do": "approval", "name": "agreed", "prompt": "Go on?"},
        {"do": "wait", "name": "paid", "event": "payment"},
        {"do": "call", "name": "shipped", "function": "teller", "body": "paid"},
    ],
}


def begin(page: Page) -> Locator:
    """Begin a run of the flow, and return its picture once somebody is waited for."""
    page.get_by_label("Input").fill('{"n": 1}')
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("heading", name="Run of order").wait_for()
    picture = page.get_by_role("group", name="Steps of the run")
    picture.get_by_role("button", name="agreed approval · waiting").click()
    return picture


def test_a_person_rejects_and_approves_an_event_is_sent_and_a_step_is_rerun(page: Page, installed: Platform) -> None:
    folder = installed.data_dir.parent / "flow.json"
    folder.write_text(json.dumps({"name": "order"} | FLOW))
    installed.ok("flow", "deploy", "--file", str(folder))
    go(page, "Flows")
    page.get_by_role("rowheader").get_by_role("link", name="order").click()
    drawn = page.get_by_role("group", name="Steps of order")
    steps = [drawn.get_by_role("img", name=re.compile(f"^{each['name']} ")) for each in FLOW["steps"]]
    tops = [step.evaluate("node => node.getBoundingClientRect().top") for step in steps]
    assert tops == sorted(tops)
    assert drawn.locator("line").count() == len(steps) - 1
    picture, state = begin(page), page.get_by_role("status").and_(page.locator(".state"))
    panel = page.get_by_role("region", name="Step agreed")
    expect(panel).to_contain_text("Go on?")
    panel.get_by_label("Comment").fill("too dear")
    panel.get_by_role("button", name="Reject").click()
    expect(state).to_have_text("failed")
    expect(panel).to_contain_text("Said too dear")
    expect(page.get_by_role("region", name="The run")).to_contain_text("rejected")
    expect(picture.get_by_role("button", name="paid wait · not begun")).to_be_visible()
    page.get_by_role("navigation").or_(page.locator(".crumbs")).get_by_role("link", name="order", exact=True).click()
    picture = begin(page)
    panel.get_by_role("button", name="Approve").click()
    picture.get_by_role("button", name="paid wait · waiting").click()
    paid = page.get_by_role("region", name="Step paid")
    expect(paid).to_contain_text("It waits for the event payment.")
    paid.get_by_label("What comes with it").fill('{"euro": 7}')
    paid.get_by_role("button", name="Send the event").click()
    expect(state).to_have_text("done")
    expect(page.get_by_label("Result of the run")).to_have_text(re.compile(r'{\s*"euro": 7\s*}'))
    expect(picture.get_by_role("button", name="shipped call · done")).to_be_visible()
    picture.get_by_role("button", name="shipped call · done").click()
    before = page.url
    page.get_by_role("region", name="Step shipped").get_by_role("button", name="Rerun from here").click()
    expect(page.get_by_role("region", name="The run")).to_contain_text(f"{before.rpartition('/')[2]} at shipped")
    expect(state).to_have_text("done")
    assert page.url != before
    assert len(api(installed, "flow-runs?flow=order")) == 3


def test_functions_in_a_row_make_a_flow(page: Page) -> None:
    go(page, "Flows")
    page.get_by_role("button", name="Create a flow…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("row")
    form.get_by_label("Step 1").select_option("teller")
    form.get_by_role("button", name="Another step").click()
    form.get_by_label("Step 2").select_option("teller")
    form.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="row", level=1).wait_for()
    names = page.get_by_role("group", name="Steps of row").get_by_role("img", name=re.compile("call$"))
    expect(names).to_have_count(2)
    page.get_by_label("Input").fill('"x"')
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("status").and_(page.locator(".state"))).to_have_text("done")
    page.locator(".crumbs").get_by_role("link", name="row").click()
    page.get_by_role("button", name="Remove row…").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_role("heading", name="Flows", level=1).wait_for()
    expect(row(page, "row").filter(has=page.get_by_role("rowheader"))).to_have_count(1)
