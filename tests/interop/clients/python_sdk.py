"""The Python SDK: its OAuth provider, streamable HTTP, one tool call."""

import asyncio
import json
import logging
import os
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

REDIRECT_URI = "http://localhost:33418/callback"  # nothing listens there, the person stops before it
PERSON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "person.mjs")
STEP_LIMIT = 10.0

step = "connect"


def say(**line) -> None:
    print(json.dumps(line), flush=True)


class Memory:
    """Keeps what the SDK wants to have kept."""

    tokens = None
    client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


class Person:
    """Takes the authorize URL to the shared stand-in for a browser and brings back its answer."""

    async def open(self, url: str) -> None:
        global step
        step = "authorize"
        process = await asyncio.create_subprocess_exec(
            os.environ.get("NODE", "node"), PERSON, url, REDIRECT_URI, stdout=asyncio.subprocess.PIPE
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), STEP_LIMIT * 2)
        except TimeoutError:
            process.kill()
            raise RuntimeError("the person got stuck") from None
        result = json.loads(output)
        for method, address, status, *note in result.get("hops", []):
            say(http=f"{method} {address} {status} {note[0] if note and note[0] else ''}".strip(), step=step)
        if "error" in result:
            raise RuntimeError(result["error"])
        self.answer = {key: values[0] for key, values in parse_qs(urlparse(result["url"]).query).items()}

    async def answered(self) -> AuthorizationCodeResult:
        if "code" not in self.answer:
            raise RuntimeError(f"no code: {self.answer}")
        return AuthorizationCodeResult(
            code=self.answer["code"], state=self.answer.get("state"), iss=self.answer.get("iss")
        )


def step_of(request: httpx2.Request, mcp_path: str) -> str:
    path = request.url.path
    if "/.well-known/oauth-protected-resource" in path:
        return "resource metadata"
    if "/.well-known/" in path:
        return "server metadata"
    if path == mcp_path:
        return "call" if "authorization" in request.headers else "connect"
    return path.rsplit("/", 1)[-1]


class Traced(httpx2.AsyncHTTPTransport):
    """Below the OAuth provider, where every request of the flow passes."""

    def __init__(self, mcp_path: str):
        super().__init__()
        self.mcp_path = mcp_path

    async def handle_async_request(self, request):
        global step
        step = step_of(request, self.mcp_path)
        response = await super().handle_async_request(request)
        say(http=f"{request.method} {request.url} {response.status_code}", step=step)
        return response


async def run(url: str) -> str:
    person = Person()
    auth = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(client_name="interop", redirect_uris=[REDIRECT_URI]),
        storage=Memory(),
        redirect_handler=person.open,
        callback_handler=person.answered,
    )
    transport = Traced(urlparse(url).path)
    async with httpx2.AsyncClient(auth=auth, transport=transport, timeout=STEP_LIMIT) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = (await client.list_tools()).tools
            result = await client.call_tool(tools[0].name, {"name": "proxy"})
            return result.content[0].text


def innermost(error: BaseException) -> BaseException:
    # Task groups wrap what went wrong in groups of one.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it prints whole tracebacks of what is reported below
try:
    text = asyncio.run(run(sys.argv[1]))
    if text != "Hello, proxy!":
        raise RuntimeError(f"unexpected answer {text!r}")
    say(ok=True, note=text)
except BaseException as error:  # the runner wants a verdict whatever happens
    cause = innermost(error)
    say(ok=False, step=step, error=f"{type(cause).__name__}: {cause}"[:400])
    sys.exit(1)
