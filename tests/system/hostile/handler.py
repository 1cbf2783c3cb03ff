"""A function that means harm to whoever looks at its answers in a browser."""

from pathlib import Path
from typing import Any

SCRIPT = "window.top.pwned = sessionStorage.getItem(`dayfly.authorization`); document.title = `pwned`"
KINDS = {
    "/html": ("text/html", f"<title>pwned</title><script>{SCRIPT}</script><img src=x onerror='{SCRIPT}'>"),
    "/svg": (
        "image/svg+xml",
        f"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40' onload='{SCRIPT}'>"
        f"<script>{SCRIPT}</script></svg>",
    ),
    "/js": ("text/javascript", SCRIPT),
    "/json": ("application/json", f'{{"a": "</pre><script>{SCRIPT}</script>"}}'),
    "/type": ("image/<script>alert(1)</script>", f"<script>{SCRIPT}</script>"),
}
LEADS_AWAY = {
    "Location": "http://elsewhere.test/",
    "Refresh": "0;url=http://elsewhere.test/",
    "Link": "<http://elsewhere.test/>; rel=preload; as=script",
    "Set-Cookie": "a=b",
    "Clear-Site-Data": '"storage"',
}


def handle(event: Any, context: Any) -> Any:
    """Answer with what the path names; `/seen` tells the headers that came, `/page` is a page that tries more."""
    del context
    if event.path == "/seen":
        return sorted(name.lower() for name in event.headers)
    if event.path == "/page":
        page = Path(__file__).with_name("page.html").read_text()
        return {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": page}
    kind, body = KINDS[event.path]
    status = 401 if "refuse" in event.query else 200
    return {"statusCode": status, "headers": {**LEADS_AWAY, "Content-Type": kind}, "body": body}
