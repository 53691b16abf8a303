// Servers without any defect: what is expected of the others must be had from these directly.
import { QUIET } from '../judge.mjs';

export default [
  { id: 'sound', rows: ['-'], forms: ['json', 'sse'], probes: true, expect: { quiet: QUIET } },
  { id: 'sound without stream', rows: ['-'], stream: false, expect: { quiet: QUIET }, refuse: ({ method }) => (method === 'GET' ? { status: 405, headers: { Allow: 'POST, DELETE' } } : undefined) },
  { id: 'sound legacy', rows: ['-'], legacy: true },
];
