// Servers without any defect: what is expected of the others must be had from these directly.
export default [
  { id: 'sound', rows: ['-'], forms: ['json', 'sse'], probes: true },
  { id: 'sound without stream', rows: ['-'], stream: false, refuse: ({ method }) => (method === 'GET' ? { status: 405, headers: { Allow: 'POST, DELETE' } } : undefined) },
  { id: 'sound legacy', rows: ['-'], legacy: true },
];
