"""An MCP client (PyPI `mcp`) that authorizes as the server tells it, and prints a report.

Arguments: the URL of the server, and the tools to call as a JSON array of names. The report has each tool's result or
error, and the scopes of each authorization request.
"""

import asyncio
import json
import sys
import urllib.parse
import urllib.request

from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

CALLBACK = "http://127.0.0.1/callback"
url, tools = sys.argv[1], json.loads(sys.argv[2])
report = {"calls": [], "scopes": []}


class Storage(TokenStorage):
    tokens: OAuthToken | None = None
    client = OAuthClientInformationFull(client_id="agent", redirect_uris=[CALLBACK], token_endpoint_auth_method="none")

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


back: dict[str, list[str]] = {}


async def redirect(authorization: str) -> None:
    """Opens the authorization request in the user's browser."""
    parts = urllib.parse.urlsplit(authorization)
    report["scopes"].append(urllib.parse.parse_qs(parts.query)["scope"][0])
    query = urllib.parse.urlencode({"url": authorization})
    with urllib.request.urlopen(f"http://{parts.netloc}/control/user?{query}") as response:
        callback = json.load(response)["url"]
    back.update(urllib.parse.parse_qs(urllib.parse.urlsplit(callback).query))


async def returned() -> AuthorizationCodeResult:
    return AuthorizationCodeResult(**{name: back[name][0] for name in ("code", "state", "iss") if name in back})


async def main() -> None:
    metadata = OAuthClientMetadata(
        client_name="agent", redirect_uris=[CALLBACK], token_endpoint_auth_method="none", scope="mcp:use"
    )
    oauth = OAuthClientProvider(url, metadata, Storage(), redirect, returned)
    async with create_mcp_http_client(auth=oauth) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode="auto") as client:
            report["listed"] = [tool.name for tool in (await client.list_tools()).tools]
            for name in tools:
                call = {"name": name}
                try:
                    result = await client.call_tool(name, {"id": "1"} if name == "read_note" else {})
                    call["text"] = result.content[0].text
                except Exception as error:
                    call["error"] = repr(error)
                report["calls"].append(call)


try:
    asyncio.run(main())
except BaseException as error:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    report["error"] = repr(error)
print(json.dumps(report))
