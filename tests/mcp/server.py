"""An MCP server of revision 2026-07-28 (PyPI `mcp`) on a free port of 127.0.0.1, which it prints.

It ends when its standard input is closed. Its tools are those of `server.mjs`.
"""

import os
import socket
import sys
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

server = MCPServer("notes", log_level="CRITICAL")


@server.tool()
def read_note(id: str) -> str:
    return f"note {id}"


@server.tool()
def delete_all() -> str:
    return "all notes are deleted"


@server.tool()
def admin_reset() -> str:
    return "the server is reset"


@server.resource("note://first")
def first() -> str:
    return "first note"


@server.resource("note://notes/{id}")
def note(id: str) -> str:
    return f"the note {id}"


def watch():
    sys.stdin.read()
    os._exit(0)


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=watch, daemon=True).start()
print(f"port {listener.getsockname()[1]}", flush=True)
# Envoy removes the port, and the server accepts only the hosts that it knows.
security = TransportSecuritySettings(allowed_hosts=["127.0.0.1"], allowed_origins=["https://app.example.com"])
app = server.streamable_http_app(json_response=True, transport_security=security)
uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=120)).run(sockets=[listener])
