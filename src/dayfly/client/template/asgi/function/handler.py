"""An ASGI application, served as a function. `app` may as well be one of FastAPI, Starlette, Litestar or Django:

    from fastapi import FastAPI
    app = FastAPI()

with the framework named in requirements.txt. What is printed goes to the log: `dayfly logs`.
"""

import json
from urllib.parse import parse_qs


async def app(scope, receive, send):
    """Greet whoever ?name= names, in JSON."""
    if scope["type"] != "http":
        return
    query = parse_qs(scope["query_string"].decode())
    name = query.get("name", ["stranger"])[0]
    body = json.dumps({"greeting": f"Hello, {name}!"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
