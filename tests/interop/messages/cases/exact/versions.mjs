// Which version the server is asked for.
import assert from 'node:assert/strict';
import { ARGUMENTS, CALL, check, INITIALIZE, isCall, json, PROBE, PROBE_FIELDS, withSession } from '../../exact.mjs';
import { answerJson, answerText, rpcError } from '../../server.mjs';
import { each } from '../table.mjs';

const versions = [
  check('a version without sessions in a session', 'F-04', {}, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { 'MCP-Protocol-Version': '2026-07-28' } }), 200);
    assert.equal(talk.got(isCall).header('mcp-protocol-version'), '2025-11-25');
  }),
  check('no version in a session', 'F-05', { refuse: withSession(({ header, id }) => (header('mcp-protocol-version') ? undefined : answerJson(400, rpcError(id ?? null, -32000, 'Bad Request: MCP-Protocol-Version header is required')))) }, async (talk) => {
    await talk.begin();
    json(await talk.ask({ body: CALL, headers: { 'MCP-Protocol-Version': undefined } }), 200);
    assert.ok(talk.got(isCall).header('mcp-protocol-version'));
  }),
  check('initialize with 2026-07-28', 'F-06', { result: (method, result, { message }) => (method === 'initialize' ? { ...result, protocolVersion: message.params.protocolVersion } : undefined) }, async (talk) => {
    const found = json(await talk.ask({ body: INITIALIZE.replace('2025-11-25', '2026-07-28') }), 200);
    assert.equal(found.result.protocolVersion, '2025-11-25');
    assert.equal(talk.got(({ isInitialize }) => isInitialize).message.params.protocolVersion, '2025-11-25');
  }),
  ...each({ 500: () => answerText(500, 'no'), 403: () => answerText(403, 'Forbidden'), '202': () => ({ status: 202 }), '200 error, id null': () => answerJson(200, rpcError(null, -32601, 'Method not found')) }, (name, answer) => check(`probe ${name}`, 'F-08', { refuse: ({ isProbe }) => (isProbe ? answer() : undefined) }, async (talk) => {
    const passed = () => talk.allGot(({ isProbe }) => isProbe).length;
    const probe = async () => {
      const before = passed();
      const found = json(await talk.ask({ body: PROBE, headers: PROBE_FIELDS }), 400);
      assert.deepEqual([found.id, found.error.code], ['server-discover-probe-1', -32601]);
      return passed() > before;
    };
    await probe();
    // Only -32601 says that the server does not know the probe. The proxy asks for itself before it believes that.
    if (name !== '200 error, id null') return assert.ok(await probe(), 'the server was not asked again');
    const end = performance.now() + 5_000;
    while (await probe()) assert.ok(performance.now() < end, 'the server still gets the probe');
  })),
  check('probe of a newer server passes', 'F-08', { refuse: ({ isProbe, id }) => (isProbe ? answerJson(200, { jsonrpc: '2.0', id, result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, serverInfo: { name: 's', version: '1' } } }) : undefined) }, async (talk) => {
    const found = json(await talk.ask({ body: PROBE, headers: PROBE_FIELDS }), 200);
    assert.deepEqual(found.result.supportedVersions, ['2026-07-28']);
  }),
  check('_meta of a newer version is refused', 'F-10', { refuse: withSession(({ message, id }) => (message?.params?._meta && Object.keys(message.params._meta).some((key) => key.startsWith('io.modelcontextprotocol/')) ? answerJson(400, rpcError(id, -32602, 'Invalid params: unrecognized key io.modelcontextprotocol/protocolVersion in _meta')) : undefined)) }, async (talk) => {
    await talk.begin();
    const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"forecast","arguments":${ARGUMENTS},"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","progressToken":4}}}`;
    const answer = json(await talk.ask({ body }), 200);
    const { message, body: sent } = talk.got(isCall);
    assert.deepEqual(message.params._meta, { progressToken: 4 });
    assert.ok(answer.result);
    assert.ok(sent.includes(ARGUMENTS), sent);
  }),
];

export default [...versions];
