"""What the queue calls under chaos: it takes a moment, and gives back what it was sent, which proves that it ran."""

import time


def handle(event, context):
    print("ran", event.body.decode(), flush=True)
    time.sleep(0.01)
    return event.body
