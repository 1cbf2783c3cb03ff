from flask import jsonify, make_response, request


def handle(req):
    """handle a request to the function
    Args:
        req (str): request body
    """
    if request.args.get("as") == "json":
        return jsonify(got=req), 201, {"X-Kind": "json"}
    answer = make_response("got " + req, 202)
    answer.headers["X-Path"] = request.path
    return answer
