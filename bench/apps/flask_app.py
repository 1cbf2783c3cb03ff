"""The no-op as a Flask application: for waitress, gunicorn and the stand-in of OpenFaaS's Python template."""

from flask import Flask

app = Flask(__name__)


@app.route("/", defaults={"_path": ""}, methods=["GET", "POST"])
@app.route("/<path:_path>", methods=["GET", "POST"])
def handle(_path: str) -> str:
    """Answer as the no-op function does."""
    return "ok"
