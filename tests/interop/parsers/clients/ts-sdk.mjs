// What both versions of the TypeScript SDK are asked. One question a line, one answer a line; every
// document is fetched and read by the SDK's own functions.
import { createInterface } from 'node:readline';
import { REDIRECT } from '../message.mjs';

// Below this a client would ask for the next token with nearly every request.
const SHORTEST_LIFE_S = 60;

export async function answerAll(sdk, codeOf) {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    const verdict = await ASKED[question.group](sdk, question).then(
      () => ({ ok: true }),
      (error) => ({ ok: false, error: describe(error), code: codeOf(error) }),
    );
    process.stdout.write(`${JSON.stringify({ id: question.id, ...verdict })}\n`);
  }
}

const ASKED = {
  // Whoever can read the registration must also get through the token request that follows it.
  async registration(sdk, { base, method }) {
    const metadata = await sdk.discoverAuthorizationServerMetadata(base);
    const clientMetadata = {
      client_name: 'parsers',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: method,
    };
    const clientInformation = await sdk.registerClient(base, { metadata, clientMetadata });
    await exchange(sdk, base, metadata, clientInformation);
  },

  async token(sdk, { base, client, expected }) {
    const metadata = await sdk.discoverAuthorizationServerMetadata(base);
    lives(check(await exchange(sdk, base, metadata, client), base, expected));
    const refreshed = await sdk.refreshAuthorization(base, { metadata, clientInformation: client, refreshToken: 'refresh' });
    lives(check(refreshed, base, expected));
  },

  async 'server-metadata'(sdk, { base, at, none, expected }) {
    const metadata = await sdk.discoverAuthorizationServerMetadata(base);
    if (!none) check(metadata, base, expected);
    // The older function knows only one of the two documents.
    if (at === 'oauth') check(await sdk.discoverOAuthMetadata(base), base, expected);
    await sdk.startAuthorization(base, { metadata, clientInformation: { client_id: 'client' }, redirectUrl: REDIRECT });
  },

  async 'resource-metadata'(sdk, { base }) {
    const url = `${base}/mcp`;
    const metadata = await sdk.discoverOAuthProtectedResourceMetadata(url);
    await sdk.selectResourceURL(url, {}, metadata);
    // Without a list it goes on as with servers of 2025-03, which this one is as well.
    const [server = base] = metadata.authorization_servers ?? [];
    if (server !== base) throw new Error(`the authorization server is ${server}`);
  },
};

async function exchange(sdk, base, metadata, clientInformation) {
  const { codeVerifier } = await sdk.startAuthorization(base, { metadata, clientInformation, redirectUrl: REDIRECT });
  return sdk.exchangeAuthorization(base, {
    metadata, clientInformation, authorizationCode: 'code', codeVerifier, redirectUri: REDIRECT,
  });
}

function check(found, base, expected) {
  if (!found) throw new Error('no metadata found');
  for (const [member, value] of Object.entries(expected)) {
    const wanted = value.replace('{origin}', base);
    if (found[member] !== wanted) throw new Error(`${member} is ${found[member]}, not ${wanted}`);
  }
  return found;
}

function lives({ expires_in }) {
  if (expires_in !== undefined && !(expires_in >= SHORTEST_LIFE_S)) throw new Error(`the token is taken to live ${expires_in} s`);
}

function describe(error) {
  return `${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 300);
}
