// An MCP client in a web page of another origin, with nothing but fetch. It is as strict as the
// specifications allow, because browsers give a page no second chance: it takes the metadata address
// only from the challenge, wants every document to name exactly what was asked for, and follows no
// legacy path. It says what it does with console.log, one JSON object each.
const VERSION = '2025-11-25';
const redirectUri = `${location.origin}/callback`;

let step = 'connect';
const say = (line) => console.log(JSON.stringify(line));
const need = (condition, problem) => {
  if (!condition) throw new Error(problem);
};

async function ask(name, url, init = {}) {
  step = name;
  const response = await fetch(url, { ...init, redirect: 'manual' });
  say({ http: `${init.method ?? 'GET'} ${url} ${response.status}`, step });
  return response;
}

async function askJson(name, url, init) {
  const response = await ask(name, url, init);
  const text = await response.text();
  need(response.ok, `${response.status} ${text.slice(0, 200)}`);
  return JSON.parse(text);
}

const discover = (name, url) => askJson(name, url, { headers: { 'mcp-protocol-version': VERSION } });

// Before login: from the 401 to the navigation away from this page.
async function start(mcpUrl) {
  const refused = await message(mcpUrl, {}, 'connect', initialize);
  need(refused.status === 401, `${refused.status} instead of 401`);
  const challenge = refused.headers.get('www-authenticate');
  need(challenge, 'the 401 shows this page no WWW-Authenticate');
  const metadataUrl = /^Bearer\b.*\bresource_metadata="([^"]+)"/.exec(challenge)?.[1];
  need(metadataUrl, `no resource_metadata in ${challenge}`);

  const resource = await discover('resource metadata', metadataUrl);
  need(resource.resource === mcpUrl, `metadata is about ${resource.resource}`);
  const issuer = resource.authorization_servers[0];
  const server = await serverMetadata(issuer);

  const scope = /\bscope="([^"]+)"/.exec(challenge)?.[1] ?? resource.scopes_supported?.join(' ');
  const client = await askJson('register', server.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mcp-protocol-version': VERSION },
    body: JSON.stringify({
      client_name: 'interop page',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...(scope && { scope }),
    }),
  });
  need(client.token_endpoint_auth_method === 'none', `registered as ${client.token_endpoint_auth_method}`);

  const verifier = randomText();
  const state = randomText();
  sessionStorage.setItem('flow', JSON.stringify({ mcpUrl, issuer, server, client, verifier, state, resource: resource.resource }));
  const url = new URL(server.authorization_endpoint);
  const question = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    code_challenge: await challengeOf(verifier),
    code_challenge_method: 'S256',
    state,
    resource: resource.resource,
    ...(scope && { scope }),
  };
  for (const [name, value] of Object.entries(question)) url.searchParams.set(name, value);
  say({ http: `NAVIGATE ${url}`, step: 'authorize' });
  location.assign(url);
}

// RFC 8414 first, then the two OpenID forms, as the MCP specification orders them.
async function serverMetadata(issuer) {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const candidates = [`${origin}/.well-known/oauth-authorization-server${path}`, `${origin}/.well-known/openid-configuration${path}`];
  if (path) candidates.push(`${origin}${path}/.well-known/openid-configuration`);
  for (const url of candidates) {
    const response = await ask('server metadata', url, { headers: { 'mcp-protocol-version': VERSION } });
    if (!response.ok) continue;
    const server = await response.json();
    need(server.issuer === issuer, `issuer is ${server.issuer}, not ${issuer}`);
    need(server.code_challenge_methods_supported?.includes('S256'), 'no S256');
    need(server.registration_endpoint, 'no registration endpoint');
    return server;
  }
  throw new Error(`no metadata for ${issuer}`);
}

// After login: from the callback to the answer of the tool.
async function finish() {
  const flow = JSON.parse(sessionStorage.getItem('flow'));
  const answer = new URLSearchParams(location.search);
  step = 'authorize';
  need(answer.get('state') === flow.state, `wrong state in ${location.search}`);
  const mustHaveIssuer = flow.server.authorization_response_iss_parameter_supported;
  if (mustHaveIssuer || answer.has('iss')) need(answer.get('iss') === flow.issuer, `iss is ${answer.get('iss')}, not ${flow.issuer}`);
  need(answer.has('code'), `no code: ${location.search}`);

  const tokens = await askJson('token', flow.server.token_endpoint, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: answer.get('code'),
      code_verifier: flow.verifier,
      redirect_uri: redirectUri,
      client_id: flow.client.client_id,
      resource: flow.resource,
    }),
  });
  need(tokens.token_type?.toLowerCase() === 'bearer', `token type ${tokens.token_type}`);

  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const opened = await message(flow.mcpUrl, headers, 'call', initialize);
  const session = opened.headers.get('mcp-session-id');
  const { result } = await answerOf(opened);
  Object.assign(headers, { 'mcp-protocol-version': result.protocolVersion }, session && { 'mcp-session-id': session });
  const accepted = await message(flow.mcpUrl, headers, 'call', { method: 'notifications/initialized' });
  need(accepted.status === 202, `notification: ${accepted.status}`);
  const list = await answerOf(await message(flow.mcpUrl, headers, 'call', { id: 1, method: 'tools/list' }));
  const params = { name: list.result.tools[0].name, arguments: { name: 'proxy' } };
  const called = await answerOf(await message(flow.mcpUrl, headers, 'call', { id: 2, method: 'tools/call', params }));
  const { text } = called.result.content[0];
  need(text === 'Hello, proxy!', `unexpected answer ${text}`);
  say({ ok: true, note: text });
}

const initialize = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: 'interop page', version: '1.0.0' } },
};

const message = (url, headers, name, content) => ask(name, url, {
  method: 'POST',
  headers: {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': VERSION,
    ...headers,
  },
  body: JSON.stringify({ jsonrpc: '2.0', ...content }),
});

async function answerOf(response) {
  if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
  if (!response.headers.get('content-type').startsWith('text/event-stream')) return response.json();
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const data = /^data: (\{.*"(?:result|error)".*\})$/m.exec(text)?.[1];
    if (data) return JSON.parse(data);
  }
  throw new Error(`event stream without an answer: ${text}`);
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const challengeOf = async (verifier) =>
  base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));

try {
  if (location.pathname === '/callback') await finish();
  else await start(new URLSearchParams(location.search).get('mcp'));
} catch (error) {
  say({ ok: false, step, error: error.message });
}
