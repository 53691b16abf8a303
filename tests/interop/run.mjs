// Every server with every client in each way, one table, and a verdict about the `mended` column.
import { parseArgs } from 'node:util';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Child, verdictOf } from './lib/children.mjs';
import { asMarkdown, asText, COLUMNS, report } from './lib/table.mjs';
import { freePort } from './lib/serve.mjs';
import { node, npm, pin, SERVERS } from './servers.mjs';

const CLIENT_LIMIT_MS = 60_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const CLIENTS = {
  'ts-v1': { version: npm['@modelcontextprotocol/sdk'], command: node('clients/ts-v1.mjs') },
  'ts-v2': { version: npm['@modelcontextprotocol/client'], command: node('clients/ts-v2.mjs') },
  python: { version: pin('requirements-mcp.txt', 'mcp'), command: [here('.venv-mcp/bin/python'), here('clients/python_sdk.py')] },
  'web-page': { version: '', command: node('clients/web-page.mjs') },
};

// How a client reaches the server. Each gives the address for the client; what it starts is kept in
// `started`, to be stopped by the caller.
const WAYS = {
  direct: async ({ upstream }) => upstream,
  plain: async ({ upstream, started, log }) => {
    const proxy = keep(started, new Child([...node('lib/plain-proxy.mjs'), `http://127.0.0.1:${upstream}`, '0'], log));
    return proxy.ready();
  },
  mended: async ({ upstream, pageOrigin, started, log }) => {
    const port = await freePort();
    const command = [process.env.MCP_MEND, `http://127.0.0.1:${upstream}`, '--listen', `127.0.0.1:${port}`, '--origin', pageOrigin];
    return keep(started, new Child(command, log)).answers(port);
  },
};

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', multiple: true },
    client: { type: 'string', multiple: true },
    way: { type: 'string', multiple: true },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const servers = choose('server', SERVERS);
const clients = choose('client', CLIENTS);
const ways = choose('way', WAYS);
if (ways.includes('mended') && !process.env.MCP_MEND) quit('MCP_MEND must name the mcp-mend binary');

const rows = servers.flatMap((server) => clients.map((client) => ({
  server: titled(server, SERVERS), client: titled(client, CLIENTS), key: `${server} ${client}`, results: {},
})));
for (const server of servers) {
  for (const way of ways) await tryAll(server, way);
}

const table = report(rows, ways);
console.log(`\n${asText(table)}\n`);
if (options.write) writeFileSync(here('results.md'), asMarkdown(table));
const mended = rows.map((row) => row.results.mended).filter(Boolean);
const failed = mended.filter(({ ok }) => !ok).length;
console.log(`${mended.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;

// One fresh server, one fresh proxy, all clients one after the other.
async function tryAll(server, way) {
  const started = [];
  const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
  const verdicts = (verdict) => rows.filter(({ key }) => key.startsWith(`${server} `)).forEach((row) => (row.results[way] ??= verdict));
  try {
    const pageOrigin = `http://localhost:${await freePort()}`;
    const upstream = await keep(started, new Child(SERVERS[server].command, log(server))).ready();
    const port = await WAYS[way]({ upstream, pageOrigin, started, log: log(way) });
    const tidy = (text) => text
      .replaceAll(`127.0.0.1:${upstream}`, 'UPSTREAM').replaceAll(`127.0.0.1:${port}`, 'PROXY').replaceAll(pageOrigin, 'PAGE');
    for (const client of clients) {
      const command = [...CLIENTS[client].command, `http://127.0.0.1:${port}/mcp`, pageOrigin];
      const verdict = await verdictOf(command, CLIENT_LIMIT_MS, { onHttp: log(client), log: log(client) });
      if (!verdict.ok) verdict.error = tidy(verdict.error);
      console.log(`${server} ${client} ${way}: ${verdict.ok ? 'ok' : `${verdict.step}: ${verdict.error}`}`.slice(0, COLUMNS));
      rows.find(({ key }) => key === `${server} ${client}`).results[way] = verdict;
    }
  } catch (error) {
    console.log(`${server} ${way}: ${error.message}`.slice(0, COLUMNS));
    verdicts({ ok: false, step: 'start', error: error.message });
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

function keep(started, child) {
  started.push(child);
  return child;
}

function choose(option, known) {
  const wanted = options[option] ?? Object.keys(known);
  for (const name of wanted) if (!(name in known)) quit(`--${option} is one of: ${Object.keys(known).join(', ')}`);
  return wanted;
}

function titled(name, known) {
  return `${name} ${known[name].version}`.trim();
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
