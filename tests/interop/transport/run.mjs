// Every server with every client, directly and through the proxy, step by step.
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/children.mjs';
import { mend } from '../lib/mend.mjs';
import { LOOPBACK } from '../lib/serve.mjs';
import { Client } from '../messages/ask.mjs';
import { isFailure, judge, settle } from './judge.mjs';
import { SERVERS } from './servers.mjs';

const AT_ONCE = 3; // servers; most of the time is waiting
const STEP_LIMIT_MS = 5_000;
const VISIT_LIMIT_MS = 45_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (path) => [process.execPath, here(path)];
const python = (venv) => [here(`../.venv-${venv}/bin/python`), here('clients/python_sdk.py')];

const CLIENTS = {
  raw: { command: node('clients/raw.mjs'), kinds: ['http'] },
  'ts-v1': { command: node('clients/ts-v1.mjs') },
  'ts-v2 legacy': { command: node('clients/ts-v2.mjs'), mode: 'legacy' },
  'ts-v2 auto': { command: node('clients/ts-v2.mjs'), mode: 'auto' },
  'py-v1': { command: python('mcp1') },
  'py-v2 legacy': { command: python('mcp'), mode: 'legacy' },
  'py-v2 auto': { command: python('mcp'), mode: 'auto' },
};

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', multiple: true, default: [''] },
    client: { type: 'string', multiple: true, default: [''] },
    verbose: { type: 'boolean', default: false },
  },
});
if (!process.env.MCP_MEND) quit('MCP_MEND must name the mcp-mend binary');
const servers = chosen('server', SERVERS);
const names = chosen('client', CLIENTS);
const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
const clients = Object.fromEntries(names.map((name) => [name, new Client(CLIENTS[name].command, log(name))]));
const total = { passed: 0, failed: 0, gained: 0 };
const connected = new Set();

const queue = [...servers];
try {
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let server; (server = queue.shift()); ) await tryAll(server);
  }));
} finally {
  await Promise.all(Object.values(clients).map((client) => client.stop()));
}
// A client that never gets in proves nothing.
for (const name of names.filter((client) => !connected.has(client))) {
  console.log(`${name}: connects to no server`);
  total.failed += 1;
}
console.log(`\n${total.gained} pairs in which something works only through the proxy\n`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;

// One server, one proxy, all clients one after the other.
async function tryAll(name) {
  const { start, path, kind } = SERVERS[name];
  const wanted = names.filter((client) => (CLIENTS[client].kinds ?? [kind]).includes(kind));
  const started = [];
  try {
    const { command, port: known, env } = await start();
    const server = keep(started, new Child(command, log(name), { env }));
    const port = known ? await server.answers(known) : await server.ready();
    const direct = `http://${LOOPBACK}:${port}${path}`;
    // What passes is compared, and not what the proxy asks beside it when it starts.
    const mended = await mend(direct, (child) => keep(started, child), log('mcp-mend'), '--no-probe');
    for (const client of wanted) await tryPair(name, client, direct, mended);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    total.failed += wanted.length;
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

async function tryPair(server, client, direct, mended) {
  const visit = () => Promise.all([direct, mended].map((url) => ask(server, client, url)));
  const since = performance.now();
  let [before, after] = await visit();
  let verdicts = judge(before, after);
  // A busy machine makes mistakes, too: what is worse has to be so a second time.
  if (Object.values(verdicts).some(isFailure)) {
    [before, after] = await visit();
    verdicts = judge(before, after);
  }
  log(`${server}, ${client}`)(`${Math.round(performance.now() - since)} ms`);
  const failed = Object.entries(verdicts).filter(([, verdict]) => isFailure(verdict));
  for (const [step, verdict] of Object.entries(verdicts)) {
    if (verdict === 'same' && !options.verbose) continue;
    if (!isFailure(verdict) && verdict !== 'gained' && !options.verbose) continue;
    console.log(`${server}, ${client}: ${step}: ${verdict}${said(before[step], after[step], verdict)}`);
  }
  // The raw client has no step of this name, and connects with its first.
  if ('value' in (before.connect ?? before.initialize)) connected.add(client);
  total[failed.length ? 'failed' : 'passed'] += 1;
  total.gained += Object.values(verdicts).includes('gained');
}

function ask(server, client, url) {
  const { kind, does } = SERVERS[server];
  return clients[client].ask({ url, kind, mode: CLIENTS[client].mode ?? 'legacy', does, limit: STEP_LIMIT_MS }, VISIT_LIMIT_MS);
}

function said(before = {}, after = {}, verdict) {
  if (verdict === 'same') return '';
  const show = (outcome) => settle(outcome.error ?? JSON.stringify(outcome.value) ?? 'nothing');
  const [one, other] = [show(before), show(after)];
  // Long values differ somewhere in the middle.
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const from = Math.max(0, at - 40);
  return `\n    direct  ${one.slice(from, from + 240)}\n    through ${other.slice(from, from + 240)}`;
}

function keep(started, child) {
  started.push(child);
  return child;
}

function chosen(option, known) {
  const wanted = Object.keys(known).filter((name) => options[option].some((part) => name.includes(part)));
  if (!wanted.length) quit(`--${option}: none of them is called like this`);
  return wanted;
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
