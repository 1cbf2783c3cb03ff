"""Writes the request to the function's log, to see what a caller or a webhook really sends."""


def handle(event, context):
    """Log method, path, headers and body; answer with nothing but OK."""
    query = "&".join(f"{name}={value}" for name in event.query for value in event.query.getlist(name))
    print(f"{event.method} {event.path}{'?' + query if query else ''}")
    for name, value in event.headers.items():
        print(f"{name}: {value}")
    print()
    print(event.body.decode("utf-8", "replace"))
    return "OK\n"
