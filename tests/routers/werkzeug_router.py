"""Werkzeug, with the routes that the first argument lists, on a free port of 127.0.0.1, which it prints.

It ends when its standard input is closed. The routes and the response are those of `express.mjs`.
"""

import json
import logging
import os
import sys
import threading

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


def written(segment):
    if "rest" in segment:
        return f"<path:{segment['rest']}>"
    if "variable" in segment:
        return f"<{segment['variable']}>"
    return segment["literal"]


routes = json.loads(sys.argv[1])
rules = [Rule("/" + "/".join(map(written, route["segments"])), endpoint=route["name"]) for route in routes]
url_map = Map([Rule("/healthz", endpoint="healthy"), *rules])
parameters = {
    route["name"]: [name for segment in route["segments"] if (name := segment.get("variable", segment.get("rest", "rest"))) != "rest"]
    for route in routes
}


@Request.application
def application(request):
    try:
        endpoint, values = url_map.bind_to_environ(request.environ).match()
    except HTTPException as error:
        return error
    if endpoint == "healthy":
        return Response("healthy")
    lines = [f"{name}={values[name]}\n" for name in parameters[endpoint]]
    return Response(f"{endpoint}\n{''.join(lines)}", mimetype="application/octet-stream")


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections

    def log_request(self, *args):
        pass


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
print(f"port {server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
