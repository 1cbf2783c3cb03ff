"""A function: `handle` is called for every request.

`event` has `body` (bytes), `headers`, `method`, `query` and `path`. What is returned becomes the answer: text or bytes
as they are, a dict or a list as JSON, `{"statusCode", "headers", "body"}` to say everything. `async def` works too, and
a generator's pieces are sent as they come. What is printed goes to the log: `dayfly logs`.
"""


def handle(event, context):
    """Greet whoever the request names."""
    name = event.body.decode().strip() or "stranger"
    return f"Hello, {name}!\n"
