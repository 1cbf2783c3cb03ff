"""The rules for Prometheus fire at what they are for and at nothing less, worked out by its own tool."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.api.test_deploy_files import RULES

CALLS, CRASHES = "gateway_function_invocation_total", "dayfly_function_replica_exits_total"
BUCKETS, COLD = "gateway_functions_seconds_bucket", "dayfly_function_cold_starts_total"
ROLLOUTS, FINISHED, BUDGET = "dayfly_rollouts_total", "dayfly_queue_finished_total", "dayfly_budget_used_ratio"
WRONG = {
    f'{CALLS}{{function_name="f",code="200"}}': "0+90x30",
    f'{CALLS}{{function_name="f",code="500"}}': "0+10x30",
    f'{BUCKETS}{{function_name="f",le="0.1"}}': "0+90x30",
    f'{BUCKETS}{{function_name="f",le="1"}}': "0+100x30",
    f'{BUCKETS}{{function_name="f",le="+Inf"}}': "0+100x30",
    f'{COLD}{{function_name="f"}}': "0+25x30",
    f'{CRASHES}{{function_name="f"}}': "0+1x30",
    'dayfly_function_waiting{function_name="f"}': "11x30",
    f'{ROLLOUTS}{{function_name="f",verdict="returned"}}': "0x10 1x20",
    f'{BUDGET}{{namespace="n",function_name="f"}}': "0.91x30",
    "dayfly_queue_up": "0x30",
    'queue_worker_pending_messages{function_name="f"}': "1001x30",
    f'{FINISHED}{{function_name="f",verdict="dead"}}': "0x10 1x20",
    'dayfly_trigger_up{trigger="t"}': "0x30",
    'up{job="dayfly",instance="i"}': "0x30",
    "dayfly_gateways": "0x30",
    "dayfly_sandbox_tier_lost": "1x30",
    'dayfly_records_dropped_total{reason="disk"}': "0x10 1x20",
}
RIGHT = {
    f'{CALLS}{{function_name="f",code="200"}}': "0+95x30",
    f'{CALLS}{{function_name="f",code="500"}}': "0+5x30",
    f'{CALLS}{{function_name="seldom",code="500"}}': "0+6x30",
    f'{CRASHES}{{function_name="f"}}': "0+0.5x30",
    'dayfly_function_waiting{function_name="f"}': "10x30",
    f'{ROLLOUTS}{{function_name="f",verdict="returned"}}': "1x30",
    f'{ROLLOUTS}{{function_name="f",verdict="promoted"}}': "0x10 1x20",
    f'{BUDGET}{{namespace="n",function_name="f"}}': "0.9x30",
    "dayfly_queue_up": "1x30",
    'queue_worker_pending_messages{function_name="f"}': "1000x30",
    f'{FINISHED}{{function_name="f",verdict="dead"}}': "1x30",
    f'{FINISHED}{{function_name="f",verdict="done"}}': "0x10 1x20",
    'dayfly_trigger_up{trigger="t"}': "1x30",
    'up{job="dayfly",instance="i"}': "1x30",
    'up{job="other",instance="i"}': "0x30",
    "dayfly_gateways": "1x30",
    "dayfly_sandbox_tier_lost": "0x30",
    'dayfly_records_dropped_total{reason="disk"}': "1x30",
    'dayfly_records_dropped_total{reason="size"}': "0x10 1x20",
}
OF_A_FUNCTION = 'function_name="f"'
FIRING = {
    "DayflyFunctionFails": OF_A_FUNCTION,
    "DayflyFunctionCrashes": OF_A_FUNCTION,
    "DayflyFunctionHasCallsWaiting": OF_A_FUNCTION,
    "DayflyCanaryReturned": OF_A_FUNCTION,
    "DayflyBudgetNearlyUsed": f'namespace="n",{OF_A_FUNCTION}',
    "DayflyQueueAway": "",
    "DayflyQueueGrows": OF_A_FUNCTION,
    "DayflyDeadLetters": OF_A_FUNCTION,
    "DayflyTriggerDown": 'trigger="t"',
    "DayflyAway": 'job="dayfly",instance="i"',
    "DayflyHasNoGateway": "",
    "DayflySandboxWeaker": "",
    "DayflyRecordsLost": "",
}
WAITS = {
    "DayflyFunctionFails": 5, "DayflyFunctionHasCallsWaiting": 5, "DayflyQueueAway": 1, "DayflyQueueGrows": 10,
    "DayflyTriggerDown": 5, "DayflyAway": 2, "DayflyHasNoGateway": 1,
}  # fmt: skip
"""For how many minutes it is to be so."""
RECORDED = {"calls:rate5m": 100 / 60, "failed:ratio5m": 0.1, "seconds:p95_5m": 0.55, "cold_starts:ratio5m": 0.25}
pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool; scripts/setup.sh installs Debian's prometheus"
)


def judged(folder: Path, series: dict[str, str], *asked: tuple[str, str, dict[str, float]], rules: str = "") -> str:
    """Return what Prometheus's tool finds wrong: at a time, by an expression, these samples are expected."""
    (folder / RULES.name).write_text(rules or RULES.read_text())
    tests: list[dict[str, Any]] = [
        {"eval_time": at, "expr": expr, "exp_samples": [{"labels": one, "value": value} for one, value in told.items()]}
        for at, expr, told in asked
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    whole = {
        "rule_files": [RULES.name], "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "promql_expr_test": tests}],
    }  # fmt: skip
    (folder / "rules_test.yml").write_text(json.dumps(whole))
    done = subprocess.run(["promtool", "test", "rules", str(folder / "rules_test.yml")], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def fires(alert: str) -> str:
    return f'group without (severity) (ALERTS{{alertstate="firing",alertname="{alert}"}})'


def labels(alert: str) -> str:
    return "{" + ",".join(filter(None, (f'alertname="{alert}",alertstate="firing"', FIRING[alert]))) + "}"


def test_each_is_tried() -> None:
    assert re.findall(r"- alert: (\S+)", RULES.read_text()) == list(FIRING)
    assert re.findall(r"- record: function:(\S+)", RULES.read_text()) == list(RECORDED)


@pytest.mark.parametrize("alert", FIRING)
def test_it_fires_at_what_it_is_for_once_it_is_so_for_long_enough(alert: str, tmp_path: Path) -> None:
    asked = [("20m", fires(alert), {labels(alert): 1.0})]
    if alert in WAITS:
        asked.append((f"{WAITS[alert] - 1}m", fires(alert), {}))
    assert judged(tmp_path, WRONG, *asked) == ""


def test_nothing_fires_at_the_limit_or_below(tmp_path: Path) -> None:
    assert judged(tmp_path, RIGHT, *((at, "ALERTS", {}) for at in ("5m", "20m", "30m"))) == ""


def test_what_is_worked_out_ahead_is_what_it_is_called(tmp_path: Path) -> None:
    asked = [
        ("20m", f"round(function:{name}, 0.0001)", {"{" + OF_A_FUNCTION + "}": round(value, 4)})
        for name, value in RECORDED.items()
    ]
    assert judged(tmp_path, WRONG, *asked) == ""


@pytest.mark.parametrize("turned", [(" > ", " < "), (" > ", " >= "), (" == 0", " == 1"), (" == 1", " == 0")])
def test_a_comparison_that_is_turned_is_found(turned: tuple[str, str], tmp_path: Path) -> None:
    """Each of them, one at a time; so the samples above are near enough to the limits."""
    text, (old, new) = RULES.read_text(), turned
    for place in [match.start() for match in re.finditer(re.escape(old), text)]:
        changed = text[:place] + new + text[place + len(old) :]
        wrong = judged(
            tmp_path, WRONG, *(("20m", fires(alert), {labels(alert): 1.0}) for alert in FIRING), rules=changed
        )
        assert wrong or judged(tmp_path, RIGHT, ("20m", "ALERTS", {}), rules=changed), text[place - 60 : place + 20]
