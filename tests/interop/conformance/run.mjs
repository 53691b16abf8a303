// Each version of the suite against each server, directly and through mcp-mend, and what differs.
import { parseArgs } from 'node:util';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/children.mjs';
import { freePort } from '../lib/serve.mjs';
import { compare, readChecks, total } from './checks.mjs';

const RUN_LIMIT_MS = 180_000;
// The suite mostly waits; more at a time would make the checks that measure time fail by chance.
const AT_A_TIME = 4;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const modules = (path) => here(`node_modules/${path}`);

const SERVERS = {
  everything: (port) => ['env', `PORT=${port}`, process.execPath,
    modules('@modelcontextprotocol/server-everything/dist/index.js'), 'streamableHttp'],
  stateful: (port) => [process.execPath, here('servers/stateful.mjs'), String(port)],
  stateless: (port) => [process.execPath, here('servers/stateless.mjs'), String(port)],
};
const SUITES = {
  '0.1.16 all': ['conformance', '--suite', 'all'],
  'alpha all': ['conformance-alpha', '--suite', 'all'],
  'alpha 2025-11-25': ['conformance-alpha', '--requirements', '2025-11-25'],
  'alpha 2026-07-28': ['conformance-alpha', '--requirements', '2026-07-28'],
};
const WAYS = ['direct', 'mended'];

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', multiple: true, default: Object.keys(SERVERS) },
    suite: { type: 'string', multiple: true, default: Object.keys(SUITES) },
    keep: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
for (const [chosen, known] of [[options.server, SERVERS], [options.suite, SUITES]]) {
  for (const name of chosen) if (!Object.hasOwn(known, name)) quit(`${name} is none of: ${Object.keys(known).join(', ')}`);
}
if (!process.env.MCP_MEND) quit('MCP_MEND must name the mcp-mend binary');

const output = options.keep ?? mkdtempSync(join(tmpdir(), 'conformance-'));
if (!options.keep) process.once('exit', () => rmSync(output, { recursive: true, force: true }));

const runs = options.server.flatMap((server) => options.suite.map((suite) => ({ server, suite, checks: {} })));
const waiting = runs.flatMap((run) => WAYS.map((way) => ({ run, way })));
await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
  for (let next; (next = waiting.shift()); ) next.run.checks[next.way] = await checksOf(next.run, next.way);
}));

let passed = 0;
let failed = 0;
for (const { server, suite, checks } of runs) {
  const { kept, gained, lost } = compare(checks.direct, checks.mended);
  console.log(`${server}, ${suite}: direct ${total(checks.direct)}, through mcp-mend ${total(checks.mended)}`);
  for (const check of gained) console.log(`  gained ${check.name}${times(check)}${options.verbose ? check.why : ''}`);
  for (const check of lost) console.log(`  LOST   ${check.name}${times(check)}${check.why}`);
  // Nothing to lose means that the suite did not run, which proves nothing.
  if (kept + lost.length === 0) console.log('  LOST   everything: no check passes directly');
  passed += kept + sum(gained);
  failed += sum(lost) + (kept + lost.length === 0 ? 1 : 0);
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);

// A server and a proxy of its own for each run: no run sees what another has left behind.
async function checksOf({ server, suite }, way) {
  const label = `${server}, ${suite}, ${way}`;
  const log = (line) => options.verbose && console.error(`${label}: ${line}`);
  const started = [];
  const start = (command) => {
    started.push(new Child(command, log));
    return started.at(-1);
  };
  try {
    let port = await freePort();
    await start(SERVERS[server](port)).answers(port);
    if (way === 'mended') {
      const upstream = `http://127.0.0.1:${port}`;
      port = await freePort();
      await start([process.env.MCP_MEND, upstream, '--listen', `127.0.0.1:${port}`]).answers(port);
    }
    const [version, ...which] = SUITES[suite];
    const directory = join(output, label.replaceAll(', ', '-').replaceAll(' ', '-'));
    mkdirSync(directory, { recursive: true });
    const tester = start([process.execPath, modules(`${version}/dist/index.js`),
      'server', '--url', `http://127.0.0.1:${port}/mcp`, ...which, '-o', directory]);
    const late = pause(RUN_LIMIT_MS, 'not done in time', { ref: false });
    log(await Promise.race([tester.ended, late]));
    return readChecks(directory);
  } finally {
    for (const child of started) await child.stop();
  }
}

function sum(checks) {
  return checks.reduce((all, { count }) => all + count, 0);
}

function times({ count }) {
  return count > 1 ? ` (${count} times)` : '';
}

function quit(why) {
  console.error(why);
  process.exit(2);
}
