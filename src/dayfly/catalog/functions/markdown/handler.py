"""Markdown in, HTML out: CommonMark with tables, raw HTML shown as text."""

from markdown_it import MarkdownIt

_RENDERER = MarkdownIt("commonmark", {"html": False}).enable("table")


def handle(event, context):
    """Return the body as HTML."""
    html = _RENDERER.render(event.body.decode("utf-8", "replace"))
    return {"statusCode": 200, "headers": {"Content-Type": "text/html; charset=utf-8"}, "body": html}
