// What two reports of one server, directly and through the proxy, come to.

// `direct` and `mended`: what is found. `missing`: what could not be asked on either way. `stopped`: the
// clients that the direct report says do not get in, and where they stop.
export function judged({ direct, mended }) {
  const found = ({ verdicts, reach }) => [...verdicts, ...reach].filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
  const stopped = direct.clients.filter(({ connects }) => !connects).map(({ id, step, repair }) => [id, `${step}: ${repair}`]);
  return {
    direct: found(direct),
    mended: found(mended),
    missing: [...new Set([...direct.missing, ...mended.missing])],
    stopped: Object.fromEntries(stopped),
  };
}

// What differs from what is written down, and what may never be so.
export function differences(seen, expected) {
  if (!expected) return ['nothing is written down for it: --write'];
  const wrong = ['direct', 'mended', 'missing'].filter((part) => !same(seen[part], expected[part]));
  if (!same(Object.entries(seen.stopped), Object.entries(expected.stopped))) wrong.push('stopped');
  const out = wrong.flatMap((part) => [`${part}, expected: ${show(expected[part])}`, `${part}, found:    ${show(seen[part])}`]);
  const excused = expected.exceptions ?? {};
  for (const id of seen.mended.filter((id) => !excused[id])) out.push(`found through mcp-mend, without an excuse: ${id}`);
  for (const id of Object.keys(excused).filter((id) => !seen.mended.includes(id))) out.push(`excused and not found: ${id}`);
  return out;
}

const show = (value) => JSON.stringify(value) ?? 'nothing';
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
