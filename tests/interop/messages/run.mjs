// Every case with every client, without the proxy and through it.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startProxy } from '../parsers/ask.mjs';
import { asText } from '../parsers/verdict.mjs';
import { Client } from './ask.mjs';
import { CASES } from './cases.mjs';
import { judgeExact } from './exact.mjs';
import { isFailure, judge } from './judge.mjs';
import { HOST } from './raw.mjs';
import { asMarkdown } from './results.mjs';
import { startServer } from './server.mjs';
import { CALL } from './sound.mjs';

const AT_ONCE = 6; // cases
const LIMIT_MS = 3_000; // of a request
const WAIT_MS = 1_000; // for a notification
const VISIT_MS = 20_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (path) => [process.execPath, here(path)];
const python = (venv) => [here(`../.venv-${venv}/bin/python`), here('clients/python_sdk.py')];
const npm = JSON.parse(readFileSync(here('../package.json'))).dependencies;
const pin = (file, pattern) => new RegExp(pattern, 'm').exec(readFileSync(here(file), 'utf8'))[1];

const EXACT = 'raw HTTP';
const ts2 = `ts ${npm['@modelcontextprotocol/client']}`;
const py2 = `py ${pin('../requirements-mcp.txt', '^mcp==(.+)$')}`;
const PROGRAMS = {
  ts1: node('clients/ts-v1.mjs'),
  ts2: node('clients/ts-v2.mjs'),
  py1: python('mcp1'),
  py2: python('mcp'),
  rmcp: [process.env.RMCP_MESSAGES],
};
// `auto` asks with server/discover first; it is a client of its own where that can make a difference.
const CLIENTS = {
  [`ts ${npm['@modelcontextprotocol/sdk']}`]: { program: 'ts1', sse: true },
  [ts2]: { program: 'ts2', mode: 'legacy', sse: true },
  [`${ts2} auto`]: { program: 'ts2', mode: 'auto' },
  [`py ${pin('../requirements-mcp1.txt', '^mcp==(.+)$')}`]: { program: 'py1', sse: true },
  [py2]: { program: 'py2', mode: 'legacy', sse: true },
  [`${py2} auto`]: { program: 'py2', mode: 'auto', probesOnly: true },
  [`rmcp ${pin('rmcp/Cargo.toml', '^rmcp = .*"=([^"]+)"')}`]: { program: 'rmcp' },
  // No SDK.
  [EXACT]: { exact: true },
};

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: [''] },
    client: { type: 'string', multiple: true, default: [''] },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
for (const name of ['MCP_MEND', 'RMCP_MESSAGES']) {
  if (!process.env[name]) quit(`${name} must name a program; tests/interop/messages/run builds it`);
}
const names = Object.keys(CLIENTS).filter((name) => options.client.some((part) => name.includes(part)));
const cases = CASES.filter(({ id }) => options.case.some((part) => id.includes(part)));
if (!cases.length || !names.length) quit('none of them is called like this');

const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
const programs = Object.fromEntries(Object.entries(PROGRAMS).map(([name, command]) => [name, new Client(command, log(name))]));
const grid = new Map();
const panics = [];
try {
  await forEach(cases, AT_ONCE, async (one) => grid.set(one.id, await tryOn(one, names)));
} finally {
  await Promise.all(Object.values(programs).map((program) => program.stop()));
}
conclude();

async function forEach(items, atOnce, act) {
  const queue = [...items];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await act(item);
  }));
}

async function tryOn(one, who) {
  const server = await startServer(one);
  const proxy = await startProxy(server.origin + (one.upstream ?? ''), (line) => {
    if (/panic/i.test(line)) panics.push(`${one.id}: ${line}`);
    log(`mcp-mend ${one.id}`)(line);
  }, '--host', HOST);
  try {
    const judged = await Promise.all(who.filter((name) => takesPart(one, CLIENTS[name])).map(async (name) => {
      if (one.check) {
        const judgement = await judgeExact(one, proxy.origin, server);
        print(one, name, judgement, {}, [server.origin, proxy.origin]);
        return [name, judgement];
      }
      const [direct, mended] = await Promise.all([server.origin, proxy.origin].map((base) => visit(one, CLIENTS[name], base)));
      const judgement = judge(one, direct, mended, CLIENTS[name].program);
      print(one, name, judgement, { direct, mended }, [server.origin, proxy.origin]);
      return [name, judgement];
    }));
    return Object.fromEntries(judged);
  } finally {
    await proxy.stop();
    server.stop();
  }
}

function takesPart({ check, legacy, bridged, probes, only }, { exact, program, sse, probesOnly }) {
  if (check || exact) return Boolean(check && exact);
  if (only && !only.includes(program)) return false;
  return (!legacy || bridged || sse) && (!probesOnly || probes);
}

function visit(one, { program, mode }, base) {
  const sse = one.legacy && !one.bridged;
  const question = { url: base + (one.path ?? (sse ? '/sse' : '/mcp')), kind: sse ? 'sse' : 'http', mode, stream: one.stream ?? true };
  return programs[program].ask({ ...question, limit: one.limit ?? LIMIT_MS, wait: WAIT_MS, call: CALL }, VISIT_MS);
}

function print(one, name, judgement, steps, [direct, mended]) {
  const tidy = (text) => text.replaceAll(direct, 'UPSTREAM').replaceAll(mended, 'PROXY').slice(0, options.verbose ? 4000 : 240);
  const { verdict, why = '', before } = judgement;
  if (isFailure(judgement) || options.verbose) {
    console.log(`${one.id} | ${name}: ${verdict}: ${tidy(why)}`);
    if (before && options.verbose) console.log(`    directly: ${tidy(before)}`);
  }
  if (options.verbose) for (const [way, found] of Object.entries(steps)) console.log(`    ${way}: ${tidy(JSON.stringify(found))}`);
}

function conclude() {
  const judged = (name) => cases.map(({ id }) => grid.get(id)[name]).filter(Boolean);
  const count = (name, wanted) => judged(name).filter(({ verdict }) => verdict === wanted).length;
  const summary = [['client', 'cases', 'ok', 'mended', 'not mendable', 'failed']];
  for (const name of names) {
    summary.push([name, judged(name).length, count(name, 'ok') + count(name, 'exact'), count(name, 'mended'), count(name, 'not mendable'), judged(name).filter(isFailure).length]);
  }
  console.log(`\n${asText(summary)}\n`);
  if (options.write) writeFileSync(here('results.md'), asMarkdown(cases, names, grid, summary));
  const all = names.flatMap(judged);
  for (const line of panics) console.log(line);
  const failed = all.filter(isFailure).length + panics.length;
  console.log(`${all.length + panics.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
