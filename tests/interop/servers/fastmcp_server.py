"""fastmcp with the in-memory OAuth provider of its own package, over streamable HTTP."""

import asyncio
import json
import socket

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.auth import ClientRegistrationOptions, RevocationOptions
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider


def build(origin: str) -> FastMCP:
    auth = InMemoryOAuthProvider(
        base_url=origin,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=["mcp:tools"], default_scopes=["mcp:tools"]
        ),
        revocation_options=RevocationOptions(enabled=True),
        required_scopes=["mcp:tools"],
    )
    server = FastMCP("interop", auth=auth)

    @server.tool
    def greet(name: str) -> str:
        """Says hello"""
        return f"Hello, {name}!"

    return server


async def main() -> None:
    # The server must know its own URL before it is built, so it gets the socket first.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app = build(f"http://127.0.0.1:{port}").http_app(path="/mcp")
    server = uvicorn.Server(uvicorn.Config(app, log_level="info", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.02)
    print(json.dumps({"ready": port}), flush=True)
    await task


asyncio.run(main())
