// What the page is shown where the real thing has none: a check's result, and texts that would be elements if anybody
// parsed them.
export const HOSTILE = '<img src=x onerror="alert(1)"><b><i><u>x</u></i></b>';

const time = '2026-01-02T03:04:05Z';
const exchange = {
  number: 1, at: time, phase: 'discovery', class: 'mcp', method: 'POST', path: `/${HOSTILE}`, status: 401, upstream_status: 403, ms: 3, bytes: 9,
  repairs: [{ id: HOSTILE, what: HOSTILE, mode: 'fix' }, { id: 'cors.expose', what: HOSTILE, mode: 'observe' }],
  untouched: 'slow', refused: HOSTILE, ending: 'client-left', request: `POST / HTTP/1.1\nx: ${HOSTILE}\n\n{"a":[1.0,{}],"b":"\\"{"}`,
  before: [HOSTILE, `HTTP/1.1 403 Forbidden\nx: ${HOSTILE}\n\n{"n":12345678901234567890,"e":[ ]}`], after: `HTTP/1.1 401 Unauthorized\n\n${HOSTILE}`,
};

export const STATE = {
  now: time, started: time, version: HOSTILE, upstream: HOSTILE, public: 'http://127.0.0.1:1', sentences: [HOSTILE],
  flows: [{
    id: 1, client: '127.0.0.1', agent: HOSTILE, hosted: HOSTILE, began: time, last: time, sentence: HOSTILE,
    phases: { discovery: 'failed', registration: null, authorize: null, token: null, initialize: null, tools: null }, exchanges: [exchange],
  }],
};

const verdict = (id, verdict, stops = []) => ({ id, verdict, level: 'MUST', summary: HOSTILE, what: verdict === 'pass' ? null : HOSTILE, why: HOSTILE, evidence: HOSTILE, stops });

export const CHECK = {
  url: HOSTILE, time, summary: HOSTILE,
  verdicts: [verdict('auth.challenge-missing', 'fail', ['claude']), verdict('cors.origin', 'pass'), verdict('session.lost', 'not-testable'),
    verdict('token.status', 'not-applicable')],
  clients: [{ id: 'x', name: HOSTILE, connects: false, step: 'challenge', at: HOSTILE, repair: 'auth.challenge-missing' }],
  advice: [{ id: 'auth.challenge-missing', text: HOSTILE }, { id: 'other', text: HOSTILE }],
};
