"""Fetches the address in the body, as far as the function's network lets it."""

import urllib.error
import urllib.parse
import urllib.request

_MOST_BYTES = 10 * 1024 * 1024


def handle(event, context):
    """Return what the address answers: its status, content type and body."""
    address = event.body.decode("utf-8", "replace").strip()
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        return {"statusCode": 400, "body": "write an address that begins with http:// or https://\n"}
    request = urllib.request.Request(address, headers={"User-Agent": "dayfly-curl"})
    try:
        with urllib.request.urlopen(request, timeout=context.remaining_s) as answer:
            status, body, kind = answer.status, answer.read(_MOST_BYTES + 1), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        status, body, kind = error.code, error.read(_MOST_BYTES + 1), error.headers.get_content_type()
    except (urllib.error.URLError, OSError, ValueError) as error:
        return {"statusCode": 502, "body": f"{address[:200]} cannot be fetched: {getattr(error, 'reason', error)}\n"}
    if len(body) > _MOST_BYTES:
        return {"statusCode": 502, "body": f"{address[:200]} answers with more than {_MOST_BYTES} bytes\n"}
    return {"statusCode": status, "headers": {"Content-Type": kind}, "body": body}
