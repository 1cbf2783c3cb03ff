"""A WSGI application, served as a function. `app` may as well be one of Flask, Django, Bottle or Falcon:

    from flask import Flask
    app = Flask(__name__)

with the framework named in requirements.txt. What is printed goes to the log: `dayfly logs`.
"""

import json
from urllib.parse import parse_qs


def app(environ, start_response):
    """Greet whoever ?name= names, in JSON."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    name = query.get("name", ["stranger"])[0]
    body = json.dumps({"greeting": f"Hello, {name}!"}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
