// The envelope of answers.
import { error } from '../judge.mjs';
import { each, FORMS, NOTE } from './table.mjs';

// F-24: the envelope. F-25: batches.
const envelopes = each({
  'error: null beside result': (text) => text.replace(/\}$/, ',"error":null}'),
  'error: null before result': (text) => text.replace('"result":', '"error":null,"result":'),
  'extra members': (text) => text.replace(/\}$/, ',"took":5,"trace":{"id":null}}'),
  'jsonrpc missing': (text) => text.replace('"jsonrpc":"2.0",', ''),
  'jsonrpc 1.0': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":"1.0"'),
  'jsonrpc a number': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":2.0'),
  'jsonrpc null': (text) => text.replace('"jsonrpc":"2.0"', '"jsonrpc":null'),
  'id as text': (text, { id }) => (typeof id === 'number' ? text.replace(`"id":${id}`, `"id":"${id}"`) : text),
  'id with a fraction': (text, { id }) => (typeof id === 'number' ? text.replace(`"id":${id}`, `"id":${id}.0`) : text),
  'id null': (text, { id }) => text.replace(`"id":${JSON.stringify(id)}`, '"id":null'),
  'id missing': (text, { id }) => text.replace(`"id":${JSON.stringify(id)},`, ''),
  'method repeated': (text, { rpc }) => text.replace(/\}$/, `,"method":"${rpc}"}`),
}, (name, change) => ({ id: `envelope: ${name}`, rows: ['F-24'], forms: FORMS, text: (text, exchange) => (exchange.isProbe ? text : change(text, exchange)) }));

const failures = each({
  'result: null beside error': ['{"jsonrpc":"2.0","id":ID,"result":null,"error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'id null': ['{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'id missing': ['{"jsonrpc":"2.0","error":{"code":-32602,"message":"No such city"}}', error(-32602, /No such city/)],
  'code as text': ['{"jsonrpc":"2.0","id":ID,"error":{"code":"-32602","message":"No such city"}}', error(-32602, /No such city/)],
  'code with a fraction': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602.0,"message":"No such city"}}', error(-32602, /No such city/)],
  'code a word': ['{"jsonrpc":"2.0","id":ID,"error":{"code":"INVALID","message":"No such city"}}', error(undefined, /No such city/)],
  'code missing': ['{"jsonrpc":"2.0","id":ID,"error":{"message":"No such city"}}', error(undefined, /No such city/)],
  'code null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":null,"message":"No such city"}}', error(undefined, /No such city/)],
  'message missing': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602}}', error(-32602)],
  'message null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":null}}', error(-32602)],
  'a text': ['{"jsonrpc":"2.0","id":ID,"error":"No such city"}', error(undefined, /No such city/)],
  'data null': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"No such city","data":null}}', error(-32602, /No such city/)],
  'extra member': ['{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"No such city"},"took":1}', error(-32602, /No such city/)],
}, (name, [text, call]) => ({
  id: `error: ${name}`,
  rows: ['F-24'],
  forms: FORMS,
  expect: { call },
  text: (was, { rpc, id }) => (rpc === 'tools/call' ? text.replace('ID', JSON.stringify(id)) : was),
}));

const batches = each({
  'of one': (text) => `[${text}]`,
  'a notification first': (text) => `[${NOTE},${text}]`,
  'a notification last': (text) => `[${text},${NOTE}]`,
}, (name, change) => ({ id: `batch: ${name}`, rows: ['F-25'], text: change }));

export default [...envelopes, ...failures, ...batches];
