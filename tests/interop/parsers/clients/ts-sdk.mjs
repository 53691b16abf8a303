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

  async token(sdk, { base, client }) {
    const metadata = await sdk.discoverAuthorizationServerMetadata(base);
    lives(await exchange(sdk, base, metadata, client));
    lives(await sdk.refreshAuthorization(base, { metadata, clientInformation: client, refreshToken: 'refresh' }));
  },

  async 'server-metadata'(sdk, { base, at, none }) {
    const metadata = await sdk.discoverAuthorizationServerMetadata(base);
    if (!metadata && !none) throw new Error('no metadata found');
    // The older function knows only one of the two documents.
    if (at === 'oauth' && !(await sdk.discoverOAuthMetadata(base))) throw new Error('no metadata found by the older function');
    await sdk.startAuthorization(base, { metadata, clientInformation: { client_id: 'client' }, redirectUrl: REDIRECT });
  },

  async 'resource-metadata'(sdk, { base }) {
    const url = `${base}/mcp`;
    await sdk.selectResourceURL(url, {}, await sdk.discoverOAuthProtectedResourceMetadata(url));
  },
};

async function exchange(sdk, base, metadata, clientInformation) {
  const { codeVerifier } = await sdk.startAuthorization(base, { metadata, clientInformation, redirectUrl: REDIRECT });
  return sdk.exchangeAuthorization(base, {
    metadata, clientInformation, authorizationCode: 'code', codeVerifier, redirectUri: REDIRECT,
  });
}

function lives({ expires_in }) {
  if (expires_in !== undefined && !(expires_in >= SHORTEST_LIFE_S)) throw new Error(`the token is taken to live ${expires_in} s`);
}

function describe(error) {
  return `${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 300);
}
