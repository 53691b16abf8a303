"""What both lines of the Python SDK are asked: one question a line, one answer a line, in any order.

A visit ends with the first step that hangs, as the rest would only hang too.
"""

import asyncio
import json
import logging
import sys
from datetime import timedelta

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

try:
    from mcp.client import Client  # 2.x
    from mcp.shared.exceptions import MCPError
    from mcp.types import PaginatedRequestParams
except ImportError:
    from mcp.shared.exceptions import McpError as MCPError  # 1.x
    from mcp.types import PaginatedRequestParams

    Client = None

MOST_PAGES = 5


class Stopped(Exception):
    """A step hung, or there is no connection."""


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_unset=True)


class Visit:
    """The steps of one question, and what they came to."""

    def __init__(self, question):
        self.question = question
        self.limit = question["limit"] / 1000
        self.steps = {}
        self.told = asyncio.Event()
        self.at = "connect"

    async def on_log(self, params):
        self.told.set()

    async def run(self):
        try:
            opened = self.of_two() if Client else self.of_one()
            await opened
        except Stopped:
            pass
        except BaseException as error:  # whatever the SDK raises is its answer
            # 1.x ends the whole connection when a request fails.
            self.steps.setdefault(self.at, failure(error))
        return self.steps

    def transport(self):
        url = self.question["url"]
        return sse_client(url) if self.question["kind"] == "sse" else streamable_http_client(url)

    async def of_one(self):
        async with self.closing(self.transport()) as (read, write, *_):
            timeout = timedelta(seconds=self.limit)
            async with ClientSession(read, write, timeout, logging_callback=self.on_log) as session:
                await self.step("connect", self.initialize(session))
                await self.rest(session)

    async def of_two(self):
        client = Client(
            self.transport(),
            mode=self.question["mode"],
            read_timeout_seconds=self.limit,
            logging_callback=self.on_log,
        )
        entered = asyncio.timeout(self.limit * 2 + 1)
        try:
            async with entered:
                session = (await client.__aenter__()).session
                entered.reschedule(None)
        except TimeoutError:
            self.steps["connect"] = {"hung": True}
            raise Stopped from None
        except BaseException as error:
            self.steps["connect"] = failure(error)
            raise Stopped from None
        self.steps["connect"] = {"value": plain(session.initialize_result)} if session.initialize_result else {"error": "no session"}
        async with self.closing(client, entered=True):
            await self.rest(session)

    def closing(self, context, entered=False):
        return Closing(self, context, entered)

    async def initialize(self, session):
        return plain(await session.initialize())

    async def rest(self, session):
        if "value" not in self.steps["connect"]:
            raise Stopped
        await self.step("tools", self.pages(session.list_tools, "tools"))
        await self.step("call", self.call(session))
        await self.step("ping", self.ping(session))
        await self.step("resources", self.pages(session.list_resources, "resources"))
        await self.step("templates", self.pages(session.list_resource_templates, "resourceTemplates"))
        await self.step("prompts", self.pages(session.list_prompts, "prompts"))
        if self.question["stream"]:
            try:
                await asyncio.wait_for(self.told.wait(), self.question["wait"] / 1000)
            except TimeoutError:
                pass
            self.steps["notified"] = {"value": self.told.is_set()}

    async def step(self, name, act):
        self.at = name
        try:
            # The SDK's own limit comes first; this one is for what it does not limit.
            self.steps[name] = {"value": await asyncio.wait_for(act, self.limit + 0.5)}
        except TimeoutError:
            self.steps[name] = {"hung": True}
        except Exception as error:
            self.steps[name] = failure(error)
        self.at = "close"
        if "hung" in self.steps[name]:
            raise Stopped

    async def pages(self, method, member):
        items = []
        params = None
        for _ in range(MOST_PAGES):
            page = plain(await method(params=params))
            items += page[member]
            if page.get("nextCursor") is None:
                return items
            params = PaginatedRequestParams(cursor=page["nextCursor"])
        raise RuntimeError(f"more than {MOST_PAGES} pages")

    async def call(self, session):
        call = self.question["call"]
        return plain(await session.call_tool(call["name"], call["arguments"]))

    async def ping(self, session):
        await session.send_ping()


class Closing:
    """Closes the connection as a step of its own: this is when the SDK ends its session."""

    def __init__(self, visit, context, entered):
        self.visit = visit
        self.context = context
        self.entered = entered

    async def __aenter__(self):
        return None if self.entered else await self.context.__aenter__()

    async def __aexit__(self, kind, error, trace):
        limit = asyncio.timeout(self.visit.limit)
        try:
            async with limit:
                await self.context.__aexit__(kind, error, trace)
            outcome = {"value": None}
        except TimeoutError:
            outcome = {"hung": True}
        except BaseException as problem:
            if isinstance(innermost(problem), Stopped):
                raise Stopped from None
            outcome = failure(problem)
        if error is None:
            self.visit.steps["close"] = outcome
            return True
        return False


def innermost(error):
    # Task groups wrap what went wrong in groups of one.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def failure(error) -> dict:
    cause = innermost(error)
    text = " ".join(f"{type(cause).__name__}: {cause}".split())[:400]
    code = cause.error.code if isinstance(cause, MCPError) else None
    hung = "timed out" in text.lower() or isinstance(cause, TimeoutError)
    return {"hung": True, "error": text} if hung else {"code": code, "error": text}


async def answer(line):
    question = json.loads(line)
    steps = await Visit(question).run()
    print(json.dumps({"id": question["id"], "steps": steps}), flush=True)


async def main():
    running = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.create_task(answer(line))
        running.add(task)
        task.add_done_callback(running.discard)


# It prints whole tracebacks of what is reported here.
logging.disable(logging.CRITICAL)
asyncio.run(main())
