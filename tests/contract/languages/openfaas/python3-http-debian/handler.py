def handle(event, context):
    return "got " + event.body.decode(), 202, {"X-Path": event.path}
