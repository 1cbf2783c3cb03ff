"""Payloads and replays on the real platform: what failed is mended and made once more; no secret is on the disk."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.system.driver import Platform, eventually
from tests.system.test_calls import Door

BROKEN = """
import json, time
def handle(event, context):
    order = json.loads(event.body)
    if "wait" in order:
        print("thinks about it", flush=True)
        time.sleep(order["wait"])
    return {"statusCode": 200, "body": {"total": order["price"] * order["count"], "token": "answer-hunter2"}}
"""
MENDED = BROKEN.replace('order["count"]', 'order.get("count", 1)')
SECRETS = (b"body-hunter2", b"header-hunter2", b"query-hunter2", b"answer-hunter2")
KEPT = (
    "--annotation",
    "com.dayfly.record.payloads=all",
    "--annotation",
    "com.dayfly.record.redact=token,$.card.number",
)


@pytest.mark.timeout(300)
def test_a_call_that_failed_is_replayed_once_its_function_is_mended(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "bill", BROKEN, *KEPT)
    platform.deploy_function(scratch / "plain", BROKEN)
    door = Door(platform)

    def bill(order: object, path: str = "/function/bill/a?n=1", headers: dict[str, str] | None = None) -> str:
        return door.ask("POST", path, json.dumps(order).encode(), headers).headers["x-call-id"]

    failed = bill({"price": 7})
    card = {"price": 1, "count": 2, "card": {"number": "body-hunter2"}}
    secret = bill(card, "/function/bill?token=query-hunter2", {"Authorization": "Bearer header-hunter2"})
    second = bill({"price": 4711})
    none = bill({"price": 7}, "/function/plain")

    shown = platform.ok("call", secret, "--payload")
    assert all(text in shown for text in ("authorization: [redacted]", '"number": "[redacted]"', "?token=[redacted]"))
    assert '"token": "[redacted]"' in shown
    refused = platform.run("replay", secret)
    assert refused.code == 73, refused
    assert "header authorization, query token, body $.card.number" in refused.err

    platform.deploy_function(scratch / "bill", MENDED, *KEPT)
    one = platform.run("replay", failed)
    assert one.code == 1, one
    lines = one.out.splitlines()
    assert "Status:   500 → 200" in lines
    assert "Revision: 1 → 2" in lines
    assert '  +  "total": 7,' in lines
    many = platform.run("replay", "--failed", "--since", "1h")
    assert many.code == 1
    assert [line for line in many.out.splitlines() if failed in line and "500 → 200" in line]
    assert [line for line in many.out.splitlines() if none in line and "not replayed" in line]
    assert "2 replayed: 0 the same, 2 different; 1 not." in many.out
    made = door.listed(f"trigger=replay%20{failed}")
    assert [(each["trigger"], each["status"], each["path"]) for each in made] == [(f"replay {failed}", 200, "/a")] * 2

    again = platform.run("replay", made[0]["id"])
    assert again.code == 0, again
    assert "Body:     the same" in again.out
    editor = Platform(platform.data_dir, {"EDITOR": "sed -i 's/[[]redacted]/mine/'"})
    edited = editor.run("replay", secret, "--edit", "-o", "json")
    assert json.loads(edited.out)["new"]["status"] == 200, edited
    assert json.loads(edited.out)["target"] == "/?token=mine"
    _replay_on_the_first_revision(platform, door, failed, second)
    platform.stop()
    for each in (platform.data_dir / "records").glob("calls.*"):
        content = each.read_bytes()
        assert not [secret for secret in SECRETS if secret in content], each


def _replay_on_the_first_revision(platform: Platform, door: Door, failed: str, second: str) -> None:
    """Revision 1 is kept and broken; revision 2 serves meanwhile, also while the control plane is killed."""

    def replicas() -> set[str]:
        return {each.name for each in (platform.data_dir / "run" / "r").glob("*.sock")}

    def ready() -> set[str]:
        told = [each for name in ("bill", "plain") for each in platform.describe(name)["replicas"]]
        return {f"{each['id']}.sock" for each in told if each["phase"] == "ready"}

    # Those of revision 1 that was replaced, and of the replays, end in their own time.
    eventually("who serves is alone", lambda: len(ready()) == 2 and replicas() == ready())
    serving = replicas()
    gone = platform.run("replay", failed, "--revision", "9")
    assert (gone.code, "revision 9 of bill is not kept; these are: 1, 2" in gone.err) == (66, True), gone
    before = len(door.listed("function=bill"))
    many = platform.run("replay", "--failed", "--since", "1h", "--function", "bill", "--revision", "1")
    assert (many.code, "2 replayed: 2 the same, 0 different; 0 not." in many.out) == (0, True), many
    after = door.listed("function=bill")
    made = after[: len(after) - before]
    assert sorted((each["trigger"], each["status"], each["revision"]) for each in made) == sorted(
        (f"replay {each}", 500, 1) for each in (failed, second)
    )
    assert len({each["replica"] for each in made}) == 1, "the batch has one replica"
    assert door.ask("POST", "/function/bill", b'{"price": 7}').status == 200, "nobody else's call gets there"

    logs = "/v1/namespaces/openfaas-fn/functions/bill/logs"
    slow = Platform(platform.data_dir, {"EDITOR": "sed -i 's/4711/4711, \"wait\": 3/'"})
    with ThreadPoolExecutor(1) as pool:
        replaying = pool.submit(slow.run, "replay", second, "--revision", "1", "--edit")
        eventually("it is called", lambda: replaying.done() or b"thinks about it" in door.api(logs).body)
        (control,) = platform.pids("control")
        os.kill(control, signal.SIGKILL)
        # Where the machine is so busy that the call was over before the kill, the replica waited for another.
        assert replaying.result().code in (0, 69), replaying.result()
    eventually("the control plane is back", lambda: platform.pids("control") not in ([], [control]))
    eventually(f"only {serving} are left", lambda: replicas() == serving, deadline_s=60)
    assert door.ask("POST", "/function/bill", b'{"price": 7}').status == 200
