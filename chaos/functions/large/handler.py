"""Answers with as many bytes as the path says, for clients that never read them."""

PIECE = b"x" * 65536


def handle(event, context):
    size = int(event.path.rpartition("/")[2] or 0)
    return {"statusCode": 200, "body": PIECE[:size] if size <= len(PIECE) else PIECE * (size // len(PIECE))}
