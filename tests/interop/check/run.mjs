// `mcp-mend check` of every server, directly and through the proxy, held against what is written down.
import { parseArgs } from 'node:util';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/children.mjs';
import { mend } from '../lib/mend.mjs';
import { check } from './ask.mjs';
import { addressOf, SERVERS } from './cases.mjs';
import { differences, judged } from './judge.mjs';

const AT_ONCE = 16; // servers; a check mostly listens to streams that are silent
const EXPECTED = fileURLToPath(new URL('expected.json', import.meta.url));

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', multiple: true, default: [''] },
    keep: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
if (!process.env.MCP_MEND) quit('MCP_MEND must name the mcp-mend binary');
const servers = SERVERS.filter(({ name }) => options.server.some((part) => name.includes(part)));
if (!servers.length) quit('--server: none of them is called like this');
if (options.keep) mkdirSync(options.keep, { recursive: true });
const expected = JSON.parse(readFileSync(EXPECTED, 'utf8'));
const log = (from) => (line) => options.verbose && console.log(`    ${from}: ${line}`);
const total = { passed: 0, failed: 0 };

const queue = [...servers];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let server; (server = queue.shift()); ) await tryServer(server);
}));
if (options.write) writeFileSync(EXPECTED, `${JSON.stringify(inOrder(expected), null, 2)}\n`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;

// One server, one proxy, and all cases at the same time.
async function tryServer(server) {
  const started = [];
  const keep = (child) => {
    started.push(child);
    return child;
  };
  try {
    const direct = await addressOf(server, (command, how) => keep(new Child(command, log(server.name), how)));
    const mended = await mend(direct, keep, log('mcp-mend'), '--no-probe');
    await Promise.all(Object.entries(server.cases).map(([name, asked]) => tryCase(name, asked, { direct, mended })));
  } catch (error) {
    fail(server.name, [error.message]);
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

async function tryCase(name, asked, urls) {
  const since = performance.now();
  let reports;
  try {
    reports = await reportsOf(name, asked, urls);
    // A busy machine makes mistakes, too: what is wrong has to be so a second time.
    if (!options.write && differences(judged(reports), expected[name]).length) reports = await reportsOf(name, asked, urls);
  } catch (error) {
    return fail(name, [error.message]);
  }
  log(name)(`${Math.round(performance.now() - since)} ms`);
  const seen = judged(reports);
  if (options.write) expected[name] = { ...seen, ...reasons(expected[name]) };
  const wrong = differences(seen, expected[name]);
  if (wrong.length) return fail(name, wrong);
  total.passed += 1;
  console.log(`${name}: ${seen.direct.length} found, ${seen.mended.length} through mcp-mend`);
}

async function reportsOf(name, asked, urls) {
  const ways = await Promise.all(Object.entries(urls).map(async ([way, url]) => {
    const report = await check(url, asked, log(`${name}, ${way}`));
    if (options.keep) writeFileSync(join(options.keep, `${name}, ${way}.json`), JSON.stringify(report, null, 1));
    return [way, report];
  }));
  return Object.fromEntries(ways);
}

// Why something may be found through the proxy is written by people, and kept.
function reasons({ exceptions } = {}) {
  return exceptions && { exceptions };
}

function inOrder(table) {
  const names = SERVERS.flatMap(({ cases }) => Object.keys(cases)).filter((name) => table[name]);
  return Object.fromEntries(names.map((name) => [name, table[name]]));
}

function fail(name, wrong) {
  total.failed += 1;
  console.log([`${name}: FAILED`, ...wrong].join('\n    '));
}

function quit(message) {
  console.error(message);
  process.exit(2);
}
