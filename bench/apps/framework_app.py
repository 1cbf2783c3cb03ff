"""The no-op for Google's functions-framework."""

import functions_framework
from flask import Request


@functions_framework.http
def handle(_request: Request) -> str:
    """Answer as the no-op function does."""
    return "ok"
