"""Whatever happened, in one line of the log: what kind of thing, what it happened to, and its data."""


def handle(event, context):
    """Print the event; `dayfly logs FUNCTION` shows it."""
    kind, subject = event.headers["Ce-Type"], event.headers.get("Ce-Subject", "-")
    print("called", kind, subject, event.body.decode(errors="replace"), flush=True)
