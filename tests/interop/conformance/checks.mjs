// What a run of the suite has left in its directory, and how two runs differ.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// One directory a scenario: server-NAME-TIME.
const DIRECTORY = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/;
const LONGEST_REASON = 160;

// Map of "scenario / check" to how often it passed and failed, and what was said about failures. An id
// may occur several times in a scenario; the order is not fixed, so only the numbers are compared.
export function readChecks(directory) {
  const checks = new Map();
  for (const name of readdirSync(directory)) {
    const scenario = DIRECTORY.exec(name)?.[1];
    const file = join(directory, name, 'checks.json');
    // A scenario that could not go on leaves an empty directory: it has passed nothing.
    if (!scenario || !existsSync(file)) continue;
    for (const { id, status, errorMessage } of JSON.parse(readFileSync(file, 'utf8'))) {
      const key = `${scenario} / ${id}`;
      const check = checks.get(key) ?? { passed: 0, failed: 0, errors: [] };
      checks.set(key, check);
      if (status === 'SUCCESS') check.passed += 1;
      if (status === 'FAILURE') {
        check.failed += 1;
        check.errors.push(errorMessage ?? 'no reason given');
      }
    }
  }
  return checks;
}

export function compare(direct, mended) {
  const none = { passed: 0, failed: 0, errors: [] };
  const result = { kept: 0, gained: [], lost: [] };
  for (const name of new Set([...direct.keys(), ...mended.keys()])) {
    const before = direct.get(name) ?? none;
    const after = mended.get(name) ?? none;
    result.kept += Math.min(before.passed, after.passed);
    const gained = after.passed - before.passed;
    if (gained > 0) result.gained.push({ name, count: gained, why: said(before) });
    // A check that only warned or was skipped and now fails is a loss too.
    const lost = Math.max(-gained, after.failed - before.failed);
    if (lost > 0) result.lost.push({ name, count: lost, why: said(after) });
  }
  return result;
}

export function total(checks) {
  let passed = 0;
  let failed = 0;
  for (const check of checks.values()) {
    passed += check.passed;
    failed += check.failed;
  }
  return `${passed} of ${passed + failed}`;
}

// The same complaint often comes once a message; its beginning says enough for one line.
function said({ errors }) {
  return errors.length ? `: ${errors.join('; ').replaceAll(/\s+/g, ' ').slice(0, LONGEST_REASON)}` : '';
}
