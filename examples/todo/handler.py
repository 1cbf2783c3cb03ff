"""A small JSON API: a list of things to do.

The list is kept in memory and is gone with the replica, so the stack file asks for exactly one.
"""

import itertools
import json

items = {}
numbers = itertools.count(1)


def handle(event, context):
    """Answer GET and POST on /items, and GET, PUT and DELETE on /items/NUMBER."""
    match [event.method, *event.path.strip("/").split("/")]:
        case ["GET", "items"]:
            return {"items": list(items.values())}
        case ["POST", "items"]:
            return create(event.body)
        case ["GET" | "PUT" | "DELETE" as method, "items", number] if number.isdigit() and int(number) in items:
            return change(method, int(number), event.body)
        case [_, "items", _]:
            return problem(404, "there is no such item")
        case _:
            return problem(404, "try /items")


def create(body):
    """Add an item and say where it is."""
    try:
        text = json.loads(body)["text"]
    except (ValueError, KeyError, TypeError):
        return problem(400, 'send {"text": "what is to be done"}')
    number = next(numbers)
    items[number] = {"number": number, "text": text, "done": False}
    return {"statusCode": 201, "headers": {"Location": f"items/{number}"}, "body": items[number]}


def change(method, number, body):
    """Show an item, tick it off or remove it."""
    if method == "DELETE":
        del items[number]
        return {"statusCode": 204, "body": ""}
    if method == "PUT":
        items[number]["done"] = True
    return items[number]


def problem(status, text):
    """Answer with an error in JSON."""
    return {"statusCode": status, "body": {"error": text}}
