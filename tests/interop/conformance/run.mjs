// Every scenario of the official suite without the proxy and through it, compared check by check.
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/children.mjs';
import { freePort } from '../lib/serve.mjs';
import { compare, lines } from './compare.mjs';
import { runSuite, versionOf } from './suite.mjs';

const AT_ONCE = 2; // as many as a small machine has cores
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const npm = JSON.parse(readFileSync(here('package.json'))).dependencies;

const SERVERS = {
  'sdk-v1': { command: [process.execPath, here('servers/sdk-v1.mjs')] },
  'sdk-v2': { command: [process.execPath, here('servers/sdk-v2.mjs')] },
  everything: {
    command: [process.execPath, here('node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'streamableHttp'],
    // It takes its port from the environment and says nothing that could be waited for.
    port: (port) => ({ PORT: String(port) }),
  },
};

// Which revision is asked of which server. The released suite does not know 2026-07-28, and a server that does
// not speak a revision has to be seen not to: clients find out with the same requests.
const RELEASED = 'conformance';
const NEWEST = 'conformance-alpha';
const RUNS = [
  ['sdk-v1', RELEASED], ['sdk-v1', NEWEST, '2025-11-25'], ['sdk-v1', NEWEST, '2026-07-28'],
  ['sdk-v2', RELEASED], ['sdk-v2', NEWEST, '2025-11-25'], ['sdk-v2', NEWEST, '2026-07-28'],
  ['everything', RELEASED], ['everything', NEWEST, '2025-11-25'],
].map(([server, suite, revision]) => ({ server, suite, revision, name: `${server}, ${versionOf(npm[suite])}${revision ? ` ${revision}` : ''}` }));

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', multiple: true, default: [''] },
    suite: { type: 'string', multiple: true, default: [''] },
    verbose: { type: 'boolean', default: false },
  },
});
if (!process.env.MCP_MEND) quit('MCP_MEND must name the mcp-mend binary');
const part = (name, parts) => parts.some((one) => name.includes(one));
const queue = RUNS.filter(({ server, name }) => part(server, options.server) && part(name, options.suite));
if (!queue.length) quit('no run is called like this');

const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
const total = { passed: 0, failed: 0 };
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let run; (run = queue.shift()); ) await tryOn(run);
}));
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;

async function tryOn(run) {
  const started = [];
  try {
    const upstream = await startServer(run.server, started);
    const proxy = await startProxy(upstream, started);
    const ask = (port, scenario) => runSuite(run, `http://127.0.0.1:${port}/mcp`, scenario, log(run.name));
    const [direct, mended] = [await ask(upstream), await ask(proxy)];
    // Some scenarios measure time. What is worse must be so a second time, alone, to count.
    for (const scenario of compare(direct, mended).scenarios) {
      direct.set(scenario, (await ask(upstream, scenario)).get(scenario));
      mended.set(scenario, (await ask(proxy, scenario)).get(scenario));
    }
    const { same, worse, better, passes } = compare(direct, mended);
    for (const line of lines(worse)) console.log(`${run.name}: WORSE ${line}`);
    for (const line of lines(better)) console.log(`${run.name}: better ${line}`);
    console.log(`${run.name}: ${direct.size} scenarios, ${same.length} checks equal (${passes} passes directly), `
      + `${worse.length} worse, ${better.length} better`);
    total.passed += same.length + better.length;
    total.failed += worse.length;
  } catch (error) {
    console.log(`${run.name}: ${error.message}`);
    total.failed += 1;
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

async function startServer(name, started) {
  const { command, port: variables } = SERVERS[name];
  if (!variables) return keep(started, new Child(command, log(name))).ready();
  const port = await freePort();
  return keep(started, new Child(command, log(name), { env: variables(port) })).answers(port);
}

async function startProxy(upstream, started) {
  const port = await freePort();
  const command = [process.env.MCP_MEND, `http://127.0.0.1:${upstream}`, '--listen', `127.0.0.1:${port}`];
  return keep(started, new Child(command, log('mcp-mend'))).answers(port);
}

function keep(started, child) {
  started.push(child);
  return child;
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
