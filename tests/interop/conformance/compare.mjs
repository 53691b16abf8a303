// Two runs of the same scenarios, check by check.

// A check may come several times in a scenario: then they are told apart by their order. INFO and SKIPPED say
// that there was nothing to judge.
const RANK = { FAILURE: 0, WARNING: 1, SKIPPED: 2, INFO: 2, SUCCESS: 3 };

// `scenarios` are those in which something is worse.
export function compare(direct, mended) {
  const found = { same: [], worse: [], better: [], scenarios: new Set(), passes: 0 };
  for (const [scenario, checks] of direct) {
    const others = numbered(mended.get(scenario) ?? []);
    for (const [key, check] of numbered(checks)) {
      const other = others.get(key) ?? { status: 'FAILURE', errorMessage: 'the check was not made' };
      found.passes += check.status === 'SUCCESS';
      const line = `${scenario} ${key}: ${check.status} -> ${other.status}: ${other.errorMessage ?? check.errorMessage ?? ''}`;
      const change = RANK[other.status] - RANK[check.status];
      (change < 0 ? found.worse : change > 0 ? found.better : found.same).push(line.slice(0, 400));
      if (change < 0) found.scenarios.add(scenario);
    }
  }
  return found;
}

function numbered(checks) {
  const seen = new Map();
  return new Map(checks.map((check) => {
    const number = (seen.get(check.id) ?? 0) + 1;
    seen.set(check.id, number);
    return [number > 1 ? `${check.id} (${number})` : check.id, check];
  }));
}
