"""What both lines of the Python SDK are asked: one question a line, one answer a line.

Every document is fetched and read by the SDK's own functions, in the order of its login flow.
"""

import asyncio
import json
import logging
import sys

try:
    import httpx2 as httpx  # 2.x
except ImportError:
    import httpx  # 1.x

from mcp.client.auth import OAuthClientProvider, oauth2, utils
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

LIMIT = 10.0
SHORTEST_LIFE = 60  # seconds; below this a client would ask for the next token with nearly every request


class Memory:
    """Keeps nothing."""

    async def set_tokens(self, tokens):
        pass


class Refused(Exception):
    """The SDK would not go on, and says so by its answer."""


class Login:
    """The steps of a login, as the SDK takes them one after the other."""

    def __init__(self, http, question):
        self.http = http
        self.question = question
        self.base = question["base"]
        metadata = OAuthClientMetadata(
            client_name="parsers",
            redirect_uris=[question["redirect"]],
            token_endpoint_auth_method=question["method"],
        )
        self.provider = OAuthClientProvider(f"{self.base}/mcp", metadata, Memory())
        self.context = self.provider.context

    async def find_resource(self):
        for url in utils.build_protected_resource_metadata_discovery_urls(None, self.context.server_url):
            response = await self.http.send(utils.create_oauth_metadata_request(url))
            metadata = await utils.handle_protected_resource_response(response)
            if metadata:
                await self.provider._validate_resource_match(metadata)
                self.context.protected_resource_metadata = metadata
                self.context.auth_server_url = str(metadata.authorization_servers[0])
                return metadata
        return None

    async def find_server(self):
        urls = utils.build_oauth_authorization_server_metadata_discovery_urls(
            self.context.auth_server_url, self.context.server_url
        )
        for url in urls:
            response = await self.http.send(utils.create_oauth_metadata_request(url))
            goes_on, metadata = await utils.handle_auth_metadata_response(response)
            if not goes_on:
                raise Refused(f"discovery stops at HTTP {response.status_code}")
            if metadata:
                utils.validate_metadata_issuer(metadata, self.provider._expected_issuer())
                self.context.oauth_metadata = metadata
                return metadata
        return None

    async def registration(self):
        await self.discover()
        request = utils.create_client_registration_request(
            self.context.oauth_metadata, self.context.client_metadata, self.base
        )
        information = await utils.handle_registration_response(await self.http.send(request))
        if hasattr(oauth2, "check_registration_usable"):  # 2.x
            oauth2.check_registration_usable(information)
        self.context.client_info = information
        # Whoever can read the registration must also get through the token request that follows it.
        await self.exchange()

    async def token(self):
        await self.discover()
        self.context.client_info = OAuthClientInformationFull(
            redirect_uris=[self.question["redirect"]], **self.question["client"]
        )
        await self.exchange()
        self.check(self.context.current_tokens)
        self.lives()
        self.context.current_tokens = OAuthToken(access_token="old", refresh_token="refresh")
        response = await self.http.send(await self.provider._refresh_token())
        if not await self.provider._handle_refresh_response(response):
            raise Refused(f"the answer to the refresh (HTTP {response.status_code}) is not taken")
        self.check(self.context.current_tokens)
        self.lives()

    async def server_metadata(self):
        await self.find_resource()
        found = await self.find_server()
        if not self.question.get("none"):
            self.check(found)

    async def resource_metadata(self):
        await self.find_resource()
        if not self.context.auth_server_url:
            raise Refused("no metadata found")
        if self.context.auth_server_url.rstrip("/") != self.base:  # 1.x adds a slash of its own
            raise Refused(f"the authorization server is {self.context.auth_server_url}")

    async def discover(self):
        if not await self.find_resource() or not await self.find_server():
            raise Refused("the sound metadata are not found")

    async def exchange(self):
        request = await self.provider._exchange_token_authorization_code("code", "verifier")
        await self.provider._handle_token_response(await self.http.send(request))

    def check(self, found):
        if not found:
            raise Refused("no metadata found")
        for member, value in self.question["expected"].items():
            wanted = value.replace("{origin}", self.base)
            if str(getattr(found, member)) != wanted:
                raise Refused(f"{member} is {getattr(found, member)}, not {wanted}")

    def lives(self):
        seconds = self.context.current_tokens.expires_in
        if seconds is not None and seconds < SHORTEST_LIFE:
            raise Refused(f"the token is taken to live {seconds} s")


def code_of(error: Exception) -> str | None:
    # The SDK keeps what a refusal said as the end of its message.
    text = str(error)
    if not text.startswith(("Token exchange failed (", "Registration failed: ")):
        return None
    try:
        code = json.loads(text[text.index("{") :])["error"]
    except (ValueError, KeyError):
        return None
    return code if isinstance(code, str) else None


async def verdict(http, question) -> dict:
    try:
        login = Login(http, question)
        step = getattr(login, question["group"].replace("-", "_"))
        await asyncio.wait_for(step(), LIMIT)
        return {"ok": True}
    except Exception as error:  # whatever the SDK raises is its answer
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return {"ok": False, "error": text[:300], "code": code_of(error)}


async def main():
    async with httpx.AsyncClient(timeout=LIMIT) as http:
        while line := await asyncio.to_thread(sys.stdin.readline):
            question = json.loads(line)
            print(json.dumps({"id": question["id"], **await verdict(http, question)}), flush=True)


logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it prints whole tracebacks of what is reported here
asyncio.run(main())
