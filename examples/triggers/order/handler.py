"""An event in, an event out: an order that was paid is answered with its bill."""

import json


def handle(event, context):
    """Answer with a CloudEvent, which triggers with `answers` take."""
    order = json.loads(event.body)
    headers = {
        "Ce-Specversion": "1.0",
        "Ce-Id": f"bill-{event.headers['Ce-Id']}",
        "Ce-Source": "/billing",
        "Ce-Type": "com.example.order.billed",
        "Content-Type": "application/json",
    }
    bill = {"order": order["number"], "due": order["total"]}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(bill)}
