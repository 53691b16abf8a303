"""The Python SDK, both lines, in the ways that its documentation shows: sessions, stateless, json, sse, mounted."""

import asyncio
import contextlib
import json
import logging
import socket
import sys

import uvicorn
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount

try:
    from mcp.server.fastmcp import Context, FastMCP  # 1.x
except ImportError:
    from mcp.server.mcpserver import Context, MCPServer  # 2.x

    FastMCP = None

LONG = 'ä€😀"\\\u2028' * 20_000  # 320 kB that are easily cut in the wrong place


class Answer(BaseModel):
    name: str


def offer(server):
    @server.tool(description="Says hello")
    def greet(name: str) -> str:
        return f"Hello, {name}!"

    @server.tool(description="Fails")
    def fail() -> str:
        raise RuntimeError("it failed")

    @server.tool(description="Counts")
    async def count(steps: int, context: Context) -> str:
        for step in range(1, steps + 1):
            await context.report_progress(step, steps)
            await asyncio.sleep(0.02)  # a client that gets the result with the last report may drop that
        return f"counted to {steps}"

    @server.tool(description="Says much")
    def long() -> str:
        return LONG

    @server.tool(description="Has news for the other stream")
    async def announce(context: Context) -> str:
        await context.session.send_log_message("info", "news")
        return "announced"

    @server.tool(description="Asks back")
    async def ask(context: Context) -> str:
        answer = await context.elicit("Name?", Answer)
        return f"{answer.action} {answer.data.name}"

    @server.resource("note://welcome", name="welcome", description="A note", mime_type="text/plain")
    def welcome() -> str:
        return "Welcome"

    @server.prompt(name="hello", description="A prompt")
    def hello(name: str) -> str:
        return f"Hello {name}"

    return server


def app_of(way: str):
    options = {"stateless_http": way == "stateless", "json_response": way == "json"}
    if way == "mounted":
        options["streamable_http_path"] = "/"
    if FastMCP:
        server = offer(FastMCP("python", **({} if way == "sse" else options)))
        app = server.sse_app() if way == "sse" else server.streamable_http_app()
    else:
        server = offer(MCPServer("python"))
        app = server.sse_app() if way == "sse" else server.streamable_http_app(**options)
    if way != "mounted":
        return app

    @contextlib.asynccontextmanager
    async def lifespan(_):
        async with server.session_manager.run():
            yield

    # Whoever asks for /mcp is sent to /mcp/.
    return Starlette(routes=[Mount("/mcp", app=app)], lifespan=lifespan)


logging.disable(logging.WARNING)
listening = socket.create_server(("127.0.0.1", 0))
config = uvicorn.Config(app_of(sys.argv[1]), log_level="warning")
print(json.dumps({"ready": listening.getsockname()[1]}), flush=True)
uvicorn.Server(config).run(sockets=[listening])
