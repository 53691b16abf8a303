"""fastmcp as its documentation runs it: http, stateless or sse."""

import asyncio
import json
import logging
import socket
import sys

import uvicorn
from fastmcp import Context, FastMCP

LONG = 'ä€😀"\\\u2028' * 20_000

server = FastMCP("fastmcp")


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


@server.tool(description="Has news")
async def announce(context: Context) -> str:
    await context.info("news")
    return "announced"


@server.tool(description="Asks back")
async def ask(context: Context) -> str:
    answer = await context.elicit("Name?", response_type=str)
    return f"{answer.action}"


@server.resource("note://welcome", name="welcome", description="A note", mime_type="text/plain")
def welcome() -> str:
    return "Welcome"


@server.prompt(name="hello", description="A prompt")
def hello(name: str) -> str:
    return f"Hello {name}"


way = sys.argv[1]
options = {"transport": "sse"} if way == "sse" else {"stateless_http": way == "stateless"}
logging.disable(logging.WARNING)
listening = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"ready": listening.getsockname()[1]}), flush=True)
uvicorn.Server(uvicorn.Config(server.http_app(**options), log_level="warning")).run(sockets=[listening])
