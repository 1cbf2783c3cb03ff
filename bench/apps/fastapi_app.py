"""The no-op as a FastAPI application."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/")
async def handle() -> PlainTextResponse:
    """Answer as the no-op function does."""
    return PlainTextResponse("ok")
