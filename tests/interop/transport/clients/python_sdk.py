"""What both lines of the Python SDK are asked: one question a line, one answer a line.

A visit is everything a host does with a server, in steps; what each gave is told by its name.
"""

import asyncio
import json
import logging
import sys
from datetime import timedelta

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

try:
    from mcp.client import Client  # 2.x
except ImportError:
    Client = None  # 1.x

NEWS_SECONDS = 1  # long enough for what comes at all


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


class Visit:
    def __init__(self, question):
        self.does = question["does"]
        self.mode = question["mode"]
        self.limit = question["limit"] / 1000
        self.steps = {}
        self.told = asyncio.Event()
        self.transport = sse_client if question["kind"] == "sse" else streamable_http_client
        self.url = question["url"]

    async def on_log(self, params):
        self.told.set()

    async def on_elicit(self, context, params):
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def run(self):
        try:
            await (self.of_two() if Client else self.of_one())
            self.steps["end"] = {"value": None}
        except BaseException as error:  # whatever the SDK raises is its answer
            self.steps.setdefault("connect" if not self.steps else "end", failure(error))
        return self.steps

    async def of_one(self):
        async with self.transport(self.url) as (read, write, *_):
            timeout = timedelta(seconds=self.limit)
            callbacks = {"logging_callback": self.on_log, "elicitation_callback": self.on_elicit}
            async with ClientSession(read, write, timeout, **callbacks) as session:
                await self.step("connect", lambda: session.initialize())
                if "value" in self.steps["connect"]:
                    await self.rest(session)

    async def of_two(self):
        client = Client(
            self.transport(self.url),
            mode=self.mode,
            read_timeout_seconds=self.limit,
            logging_callback=self.on_log,
            elicitation_callback=self.on_elicit,
        )
        async with asyncio.timeout(self.limit * 2 + 1) as starting:
            async with client:
                starting.reschedule(None)
                self.steps["connect"] = {"value": [plain(client.server_capabilities), plain(client.server_info)]}
                await self.rest(client.session)

    async def rest(self, session):
        does = self.does
        await self.step("tools", lambda: session.list_tools())
        await self.step("resources", lambda: session.list_resources())
        await self.step("templates", lambda: session.list_resource_templates())
        await self.step("prompts", lambda: session.list_prompts())
        if does.get("read"):
            await self.step("read", lambda: session.read_resource(does["read"]))
        if does.get("prompt"):
            await self.step("prompt", lambda: session.get_prompt(does["prompt"]["name"], does["prompt"]["arguments"]))
        for name, call in does["calls"].items():
            await self.step(name, lambda call=call: self.call(session, call))
        if does.get("counts"):
            await self.step("progress", lambda: self.progress(session))
        if does.get("news"):
            await self.step("news", lambda: self.news(session))
        await self.step("together", lambda: self.together(session))
        await self.step("unknown", lambda: session.get_prompt("there-is-no-such-prompt", {}))
        await self.step("ping", lambda: session.send_ping())

    async def step(self, name, act):
        try:
            value = await asyncio.wait_for(act(), self.limit + 0.5)
            self.steps[name] = {"value": plain(value) if hasattr(value, "model_dump") else value}
        except TimeoutError:
            self.steps[name] = {"error": "hung"}
        except Exception as error:
            self.steps[name] = failure(error)

    async def call(self, session, call, **options):
        return await session.call_tool(call["name"], call["arguments"], **options)

    async def progress(self, session):
        seen = []

        async def on_progress(progress, total, message):
            seen.append([progress, total])

        result = await self.call(session, self.does["counts"], progress_callback=on_progress)
        return {"seen": seen, "result": plain(result)}

    async def news(self, session):
        await self.call(session, self.does["news"])
        try:
            await asyncio.wait_for(self.told.wait(), NEWS_SECONDS)
        except TimeoutError:
            pass
        return self.told.is_set()

    async def together(self, session):
        results = await asyncio.gather(*(self.call(session, self.does["calls"]["call"]) for _ in range(5)))
        return [plain(result) for result in results]


def failure(error) -> dict:
    # Task groups wrap what went wrong in groups of one.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}


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
