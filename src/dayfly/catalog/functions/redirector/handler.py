"""Sends the caller on: a 302 to the address in the query (`?to=`), the body, or the variable `destination`."""

import os


def handle(event, context):
    """Return the redirect."""
    sent = event.body.decode("utf-8", "replace").strip()
    address = event.query.get("to") or sent or os.environ.get("destination", "")
    if not address.startswith(("http://", "https://", "/")) or any(not letter.isprintable() for letter in address):
        return {"statusCode": 400, "body": "name an address: ?to=https://example.com/\n"}
    return {"statusCode": 302, "headers": {"Location": address}, "body": ""}
