// What a host program does with either version of the TypeScript SDK: connect, be told to log in,
// let the person log in, finish, connect again, use a tool.
import { visit } from '../lib/person.mjs';
import { enter, fail, succeed, trace, tracedFetch } from '../lib/report.mjs';
import { STEP_LIMIT_MS } from '../lib/http.mjs';

// Nothing listens there: the person stops where a browser would open it.
const REDIRECT_URI = 'http://localhost:33418/callback';

class Provider {
  redirectUrl = REDIRECT_URI;

  constructor(metadata) {
    this.clientMetadata = {
      client_name: 'interop',
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...metadata,
    };
  }

  state() {
    return (this.expectedState ??= crypto.randomUUID());
  }

  clientInformation() {
    return this.information;
  }

  saveClientInformation(information) {
    this.information = information;
  }

  tokens() {
    return this.savedTokens;
  }

  saveTokens(tokens) {
    this.savedTokens = tokens;
  }

  redirectToAuthorization(url) {
    this.authorizeUrl = url.href;
  }

  // SDK 2.x compares where the callback comes from with what was found before the login.
  saveDiscoveryState(found) {
    this.found = found;
  }

  discoveryState() {
    return this.found;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }
}

const GREETING = { arguments: { name: 'proxy' }, answer: 'Hello, proxy!' };

export async function run({ sdk, metadata, options, finishAuth, tool = GREETING }) {
  const url = new URL(process.argv[2]);
  const provider = new Provider(metadata);
  const fetch = tracedFetch(url);
  const connect = async () => {
    const transport = new sdk.StreamableHTTPClientTransport(url, { authProvider: provider, fetch });
    const client = new sdk.Client({ name: 'interop', version: '1.0.0' }, options);
    return { transport, client, outcome: await client.connect(transport, { timeout: STEP_LIMIT_MS }).catch((error) => error) };
  };
  try {
    const first = await connect();
    if (!(first.outcome instanceof sdk.UnauthorizedError)) throw first.outcome ?? new Error('let in without a token');

    enter('authorize');
    const callback = new URL(await visit(provider.authorizeUrl, REDIRECT_URI, trace));
    if (callback.searchParams.get('state') !== provider.expectedState) throw new Error(`wrong state in ${callback}`);
    if (!callback.searchParams.has('code')) throw new Error(`no code: ${callback.search}`);
    await finishAuth(first.transport, callback.searchParams);

    const { client, outcome } = await connect();
    if (outcome) throw outcome;
    const { tools } = await client.listTools({}, { timeout: STEP_LIMIT_MS });
    const { content } = await client.callTool({ name: tools[0].name, arguments: tool.arguments });
    if (content[0].text !== tool.answer) throw new Error(`unexpected answer ${JSON.stringify(content)}`);
    await client.close();
    succeed(content[0].text);
  } catch (error) {
    fail(error);
  }
}
