// Two runs of the same scenarios, check by check.

// A check may come several times in a scenario: then they are told apart by their order. INFO and SKIPPED say
// that there was nothing to judge.
const RANK = { FAILURE: 0, WARNING: 1, SKIPPED: 2, INFO: 2, SUCCESS: 3 };

const LONGEST_REASON = 200;
const SHOWN = 2;

// `scenarios` are those in which something is worse.
export function compare(direct, mended) {
  const found = { same: [], worse: [], better: [], scenarios: new Set(), passes: 0 };
  for (const [scenario, checks] of direct) {
    const others = numbered(mended.get(scenario) ?? []);
    for (const [key, check] of numbered(checks)) {
      const other = others.get(key) ?? { status: 'FAILURE', errorMessage: 'the check was not made' };
      found.passes += check.status === 'SUCCESS';
      const change = RANK[other.status] - RANK[check.status];
      const outcome = { scenario, key, id: check.id, from: check.status, to: other.status, why: other.errorMessage ?? check.errorMessage };
      (change < 0 ? found.worse : change > 0 ? found.better : found.same).push(outcome);
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

// A line for each; what is said of many scenarios alike is one line.
export function lines(outcomes) {
  const groups = Map.groupBy(outcomes, ({ id, from, to }) => `${id}: ${from} -> ${to}`);
  return [...groups].map(([what, all]) => {
    const reasons = new Set(all.map(({ why = '' }) => why.replace(/\s+/g, ' ').slice(0, LONGEST_REASON)));
    const scenarios = new Set(all.map(({ scenario }) => scenario));
    return `${what} (${all.length}) in ${[...scenarios].join(', ')}: ${[...reasons].slice(0, SHOWN).join(' | ')}`;
  });
}
