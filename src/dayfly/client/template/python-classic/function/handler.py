"""A function: `handle` gets the request's body as text, and what it returns is the answer.

What is printed goes to the log: `dayfly logs`.
"""


def handle(req):
    """Greet whoever the request names."""
    return f"Hello, {req.strip() or 'stranger'}!\n"
