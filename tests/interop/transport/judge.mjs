// What two visits to the same server came to, step by step.

export const isFailure = (verdict) => /^[A-Z]/.test(verdict);

// In capitals: the proxy has done harm.
export function judge(direct, mended) {
  return Object.fromEntries(Object.entries(direct).map(([step, before]) => [step, verdict(before, mended[step])]));
}

function verdict(before, after = { error: 'the step was not made' }) {
  if (!('value' in before)) return 'value' in after ? 'gained' : before.error === after.error ? 'same error' : 'other error';
  if (!('value' in after)) return 'LOST';
  // A redirect or refusal that came to nothing, and now an answer.
  if (before.value?.status >= 300 && before.value.status !== 404 && after.value?.status < 300) return 'gained';
  // A session that has ended is told by 404, so that clients begin anew.
  if (before.value?.status === 400 && after.value?.status === 404) return 'gained';
  return same(before.value, after.value) ? 'same' : 'OTHER RESULT';
}

// What is new with every session or every start of a server.
const CHANGING = [
  [/(127\.0\.0\.1|localhost):\d+/g, 'HOST'],
  [/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/g, 'ID'],
  [/\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)/g, 'TIME'],
  [/id: [^\n]*_[^\n]*\n/g, 'id: EVENT\n'],
  [/\d+:\d\d:\d\d\s?[AP]M/g, 'TIME'],
  // Comments say nothing; an error without an id gets the one of its request.
  [/^:[^\n]*\n\n/gm, ''],
  [/"id":(null|\d+)/g, '"id":N'],
];

export function settle(text) {
  return CHANGING.reduce((settled, [pattern, word]) => settled.replace(pattern, word), text);
}

function same(one, other) {
  return settle(flat(one)) === settle(flat(other));
}

// Text as it is, so that the patterns see line ends; anything else as JSON.
function flat(value) {
  return typeof value?.text === 'string' ? `${value.status} ${value.type}\n${value.text}` : JSON.stringify(value);
}
