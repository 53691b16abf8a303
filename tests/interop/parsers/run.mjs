// Every case with every client, without the proxy and through it.
import { parseArgs } from 'node:util';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, startProxy } from './ask.mjs';
import { CASES, REDIRECT, clientOf, expected } from './message.mjs';
import { startUpstream } from './upstream.mjs';
import { asMarkdown, asText, isFailure, judge } from './verdict.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (path) => [process.execPath, here(path)];
const python = (venv) => [here(`../.venv-${venv}/bin/python`), here('clients/python_sdk.py')];
const npm = JSON.parse(readFileSync(here('../package.json'))).dependencies;
const pin = (file, pattern) => new RegExp(pattern, 'm').exec(readFileSync(here(file), 'utf8'))[1];

const CLIENTS = {
  [`ts ${npm['@modelcontextprotocol/sdk']}`]: node('clients/ts-v1.mjs'),
  [`ts ${npm['@modelcontextprotocol/client']}`]: node('clients/ts-v2.mjs'),
  [`py ${pin('../requirements-mcp1.txt', '^mcp==(.+)$')}`]: python('mcp1'),
  [`py ${pin('../requirements-mcp.txt', '^mcp==(.+)$')}`]: python('mcp'),
  [`rmcp ${pin('../../../Cargo.toml', '^rmcp = .*"=([^"]+)"')}`]: [process.env.RMCP_CLIENT, '--answer'],
};

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: [''] },
    client: { type: 'string', multiple: true, default: [''] },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
for (const name of ['MCP_MEND', 'RMCP_CLIENT']) {
  if (!process.env[name]) quit(`${name} must name a program; tests/interop/parsers/run builds it`);
}
const cases = chosen('case', CASES, ({ id }) => id);
const names = chosen('client', Object.keys(CLIENTS), (name) => name);

const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
const clients = Object.fromEntries(names.map((name) => [name, new Client(CLIENTS[name], log(name))]));
const upstream = await startUpstream();
const grid = new Map();
let proxy;
let used;
try {
  for (const one of cases) grid.set(one.id, await tryOn(one));
} finally {
  await Promise.all([proxy?.stop(), ...Object.values(clients).map((client) => client.stop())]);
  upstream.stop();
}
conclude();

async function tryOn(one) {
  // First of all: the proxy looks at the upstream as soon as it starts.
  upstream.select(one);
  // What the proxy has learned from the metadata of one case would help it with the next.
  const learns = one.group.endsWith('-metadata');
  if (learns || used !== one.group) {
    await proxy?.stop();
    proxy = await startProxy(upstream.origin, log('mcp-mend'));
    used = one.group;
  }
  const question = questionOf(one);
  const answers = await Promise.all(names.map(async (name) => {
    const direct = await clients[name].ask({ ...question, base: upstream.origin });
    const mended = await clients[name].ask({ ...question, base: proxy.origin });
    return [name, { direct, mended, verdict: judge(one, direct, mended) }];
  }));
  for (const [name, { direct, mended, verdict }] of answers) {
    if (isFailure(verdict)) console.log(`${one.id} ${name}: ${verdict}: ${tidy(mended.error)}`);
    else if (options.verbose) console.log(`${one.id} ${name}: ${verdict}${direct.ok ? '' : `: ${tidy(direct.error)}`}`);
  }
  return Object.fromEntries(answers);
}

function questionOf(one) {
  const { group, base, other, none } = one;
  const client = { client_id: clientOf({}).id, token_endpoint_auth_method: 'none' };
  const method = base === 'confidential' ? 'client_secret_post' : 'none';
  return { group, method, client, redirect: REDIRECT, expected: none ? {} : expected(one), at: other || none ? undefined : base, none };
}

function conclude() {
  const verdicts = (name) => [...grid.values()].map((row) => row[name].verdict);
  const count = (name, ...wanted) => verdicts(name).filter((verdict) => wanted.includes(verdict)).length;
  const summary = [['client', 'cases', 'refused directly', 'of these mended', 'not mendable', 'failed']];
  for (const name of names) {
    const failed = verdicts(name).filter(isFailure).length;
    const refused = grid.size - count(name, 'ok', 'BROKEN');
    summary.push([name, grid.size, refused, count(name, 'mended'), count(name, 'not mendable'), failed]);
  }
  console.log(`\n${asText(summary)}\n`);
  if (options.write) writeFileSync(here('results.md'), asMarkdown(cases, names, grid, summary));
  // A client that refuses nothing tests nothing.
  const idle = cases === CASES ? names.filter((name) => !count(name, 'mended')) : [];
  for (const name of idle) console.log(`${name}: nothing was refused directly and accepted through the proxy`);
  const failed = names.reduce((sum, name) => sum + verdicts(name).filter(isFailure).length, idle.length);
  console.log(`${grid.size * names.length + idle.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

function tidy(text = 'accepted') {
  return text.replaceAll(upstream.origin, 'UPSTREAM').replaceAll(proxy.origin, 'PROXY').slice(0, 160);
}

function chosen(option, all, nameOf) {
  const wanted = all.filter((item) => options[option].some((part) => nameOf(item).includes(part)));
  if (!wanted.length) quit(`--${option}: none of them is called like this`);
  return wanted.length === all.length ? all : wanted;
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
