// The suite as its package ships it: one process a run, which leaves a file of checks for each scenario.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../lib/children.mjs';

const LIMIT_MS = 100_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const versionOf = (pinned) => pinned.replace(/^npm:.*@/, '');

// Scenario -> checks.
export async function runSuite({ suite, revision }, url, scenario, log) {
  const results = mkdtempSync(join(tmpdir(), 'conformance-'));
  try {
    const child = new Child([
      process.execPath, here(`node_modules/${suite}/dist/index.js`), 'server', '--url', url, '--output-dir', results,
      ...(scenario ? ['--scenario', scenario] : ['--suite', 'all']),
      ...(revision ? ['--spec-version', revision] : []),
    ], log);
    const timer = setTimeout(() => child.kill(), LIMIT_MS);
    const how = await child.ended;
    clearTimeout(timer);
    const checks = read(results);
    // It ends with 1 if a check failed, and without any if it did not get that far.
    if (!checks.size || !/^ended with [01]$/.test(how)) throw new Error(`${how}: ${child.tail.join(' / ').slice(-300)}`);
    return checks;
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function read(results) {
  return new Map(readdirSync(results).map((directory) => [
    directory.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, ''),
    JSON.parse(readFileSync(join(results, directory, 'checks.json'))),
  ]));
}
