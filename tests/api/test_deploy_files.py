"""What deploy/ ships for Prometheus and Grafana: Prometheus's own tool takes it, and it asks for what is counted."""

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.conftest import Play, Stage

from dayfly.api import metrics as _metrics
from dayfly.model.sandbox import Sandbox
from dayfly.server.apps import build_apps

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"
RULES, CONFIG = DEPLOY / "prometheus" / "dayfly.rules.yml", DEPLOY / "prometheus" / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana" / "dayfly.json"
_NAME = re.compile(r"\b(?:gateway|dayfly|queue_worker)_[a-z_]+\b")
_RECORDED = re.compile(r"- record: (\S+)")
_LABELS = re.compile(r"by \(([a-z_, ]+)\)")
_OF_PROMETHEUS = {"le"}


def expressions() -> list[str]:
    """Return every expression of the rules and of the dashboard."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    found += [each["expr"] for each in board["annotations"]["list"]]
    found += [each["definition"] for each in board["templating"]["list"] if "definition" in each]
    text = RULES.read_text()
    found += re.findall(r"expr: (?!\|)(.+)", text) + re.findall(r"expr: \|\n((?:          .*\n)+)", text)
    return found


@pytest.mark.parametrize("arguments", [("rules", RULES), ("config", CONFIG)])
def test_prometheus_takes_it(arguments: tuple[str, Path], tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool; scripts/setup.sh installs Debian's prometheus where it can")
    for each in (RULES, CONFIG):
        (tmp_path / each.name).write_text(each.read_text())
    (tmp_path / "dayfly.token").write_text("token")
    what, path = arguments
    done = subprocess.run(["promtool", "check", what, str(tmp_path / path.name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_they_ask_for_is_counted(play: Play) -> None:
    asked = {name for text in expressions() for name in _NAME.findall(text)}
    labels = {label.strip() for text in expressions() for group in _LABELS.findall(text) for label in group.split(",")}

    async def story(stage: Stage) -> None:
        await stage.deploy("hello")
        sandbox = Sandbox(tier="A", required="A")
        info = msgspec.structs.replace(stage.services.info, sandbox=lambda: sandbox)
        stage.apps = build_apps(dataclasses.replace(stage.services, info=info), stage.credentials)
        page = (await stage.ask("GET", "/metrics", app="metrics")).body.decode()
        counted = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
        histograms = {f"{name}_bucket" for name in re.findall(r"^# TYPE (\S+) histogram", page, re.MULTILINE)}
        assert len(asked) > 15
        assert asked - counted - histograms == set()
        source = "".join(path.read_text() for path in (Path(_metrics.__file__).parent.parent / "observe").glob("*.py"))
        assert [label for label in sorted(labels - _OF_PROMETHEUS) if f'"{label}"' not in source] == []

    play(story)


def test_rules_are_named_once_and_alerts_say_what_they_are_about() -> None:
    text = RULES.read_text()
    names = re.findall(r"- (?:record|alert): (\S+)", text)
    assert len(names) == len(set(names)) > 15
    assert text.count("- alert:") == text.count("summary:")
    ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(ids) == len(set(ids))
