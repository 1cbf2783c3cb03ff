"""What docs/query.md tells people to type, against a platform with calls and logs, and a tenant's token beside it."""

import csv
import io
import json
import re
import shlex
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
from tests.system.driver import Platform, eventually

pytestmark = pytest.mark.timeout(600)  # each command is a process, and a machine may be busy
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "query.md").read_text()
HANDLER = """
def handle(event, context):
    print("ERROR order failed: timeout of", event.path)
    return "=1+1"
"""
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", DOCS, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture(scope="module")
def used(shared_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with a function that was called and printed something, and another namespace."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "handler.py").write_text(HANDLER)
    shared_platform.ok("namespace", "create", "team")
    for namespace in ("openfaas-fn", "team"):
        shared_platform.ok("deploy", "hello", "--handler", str(folder), "--lang", "python", "--namespace", namespace)
        for number in range(3):
            assert shared_platform.ask("GET", f"/function/hello.{namespace}/{number}").body == b"=1+1"
    eventually("it printed", lambda: "order failed" in shared_platform.ok("logs", "hello"))
    return shared_platform


def test_there_are_commands_in_the_docs() -> None:
    assert len(COMMANDS) > 15
    assert all(command.startswith("dayfly ") for command in COMMANDS)


def test_every_command_of_the_docs_works(used: Platform, tmp_path: Path) -> None:
    for command in COMMANDS:
        used.ok(*shlex.split(command)[1:], cwd=tmp_path)
    rows = list(csv.reader(io.StringIO((tmp_path / "calls.csv").read_text())))
    assert len(rows) == 7
    sheet = openpyxl.load_workbook(tmp_path / "calls.xlsx").active
    assert [cell.value for cell in sheet[1]] == rows[0]
    assert sheet.max_row == 7
    assert pyarrow.parquet.read_table(tmp_path / "calls.parquet").num_rows == 6


def test_answers_are_what_happened(used: Platform) -> None:
    found = json.loads(
        used.ok("query", "select namespace, count(*) as n from calls group by 1 order by 1", "-o", "json")
    )
    assert found == [{"namespace": "openfaas-fn", "n": 3}, {"namespace": "team", "n": 3}]
    found = json.loads(used.ok("query", "select namespace, name, state from functions order by 1", "-o", "json"))
    assert [(each["namespace"], each["state"]) for each in found] == [("openfaas-fn", "ready"), ("team", "ready")]
    found = json.loads(used.ok("query", "select distinct level from logs where text like '%order%'", "-o", "json"))
    assert found == [{"level": "error"}]
    refused = used.run("query", "delete from calls")
    assert (refused.code, "only reads" in refused.err) == (64, True)


def test_every_ready_made_query_is_answered(used: Platform) -> None:
    admin = {"Authorization": f"Bearer {used.ok('token', 'create', '-A', '--role', 'query').strip()}"}
    for saved in json.loads(used.ok("query", "list", "-o", "json")):
        assert saved["name"] in DOCS
        assert used.ask("GET", f"/v1/queries/{saved['name']}/export?format=json", headers=admin).status == 200
    assert "hello" in used.ok("query", "run", "slowest-functions")
    assert "hello" in used.ok("query", "run", "noisy-loggers")


def test_a_tenants_token_asks_by_http_and_sees_its_own(used: Platform) -> None:
    token = used.ok("token", "create", "--role", "query", "--namespace", "team").strip()
    bearer = {"Authorization": f"Bearer {token}"}
    answer = used.ask("GET", "/v1/query/export?format=json&sql=select+distinct+namespace+from+calls", headers=bearer)
    assert json.loads(answer.body) == [{"namespace": "team"}]
    answer = used.ask("GET", "/v1/queries/noisy-loggers/export?format=csv", headers=bearer)
    assert {row["namespace"] for row in csv.DictReader(io.StringIO(answer.body.decode()))} == {"team"}
    assert used.ask("GET", "/v1/namespaces/team/functions", headers=bearer).status == 403
    assert used.ask("GET", "/v1/query/export?sql=select+*+from+audit", headers=bearer).status == 400


def test_lines_are_found_when_replica_and_function_are_gone(used: Platform) -> None:
    folder = used.data_dir.parent / "gone"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER.replace("order", "departure"))
    used.ok("deploy", "gone", "--handler", str(folder), "--lang", "python")
    assert used.ask("GET", "/function/gone/farewell").status == 200
    eventually("it printed", lambda: "departure" in used.ok("logs", "gone"))
    (line,) = [json.loads(each) for each in used.ok("logs", "--search", "departure", "-o", "json").splitlines()]
    used.ok("remove", "gone")
    assert used.run("logs", "gone").code != 0
    found = json.loads(used.ok("logs", "--search", '"departure failed" fare*', "--level", "error", "-o", "json"))
    assert (found["replica"], found["function"], found["level"]) == (line["replica"], "gone", "error")
    assert used.ok("logs", "--search", "departure", "--namespace", "team") == ""


def test_a_hostile_query_keeps_nobody_waiting(used: Platform) -> None:
    endless = "with recursive r(x) as (select 1 union all select x + 1 from r) select count(*) from r"
    done = used.run("query", endless)
    assert (done.code, "longer than 10s" in done.err) == (64, True), done
    assert used.ask("GET", "/function/hello").body == b"=1+1"
