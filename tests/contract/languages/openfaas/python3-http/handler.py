def handle(event, context):
    return {"statusCode": 202, "body": "got " + event.body.decode(), "headers": {"X-Path": event.path}}
