"""Payloads and replays on the real platform: what failed is mended and made once more; no secret is on the disk."""

import json
from pathlib import Path

import pytest
from tests.system.driver import Platform
from tests.system.test_calls import Door

BROKEN = """
import json
def handle(event, context):
    order = json.loads(event.body)
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


@pytest.mark.timeout(120)
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
    assert "1 replayed: 0 the same, 1 different; 1 not." in many.out
    made = door.listed(f"trigger=replay%20{failed}")
    assert [(each["trigger"], each["status"], each["path"]) for each in made] == [(f"replay {failed}", 200, "/a")] * 2

    again = platform.run("replay", made[0]["id"])
    assert again.code == 0, again
    assert "Body:     the same" in again.out
    editor = Platform(platform.data_dir, {"EDITOR": "sed -i 's/[[]redacted]/mine/'"})
    edited = editor.run("replay", secret, "--edit", "-o", "json")
    assert json.loads(edited.out)["new"]["status"] == 200, edited
    assert json.loads(edited.out)["target"] == "/?token=mine"
    other = platform.run("replay", failed, "--revision", "1")
    assert other.code == 69, other
    assert "2 serves" in other.err
    platform.stop()
    for each in (platform.data_dir / "records").glob("calls.*"):
        content = each.read_bytes()
        assert not [secret for secret in SECRETS if secret in content], each
