// What two answers of a client to one case, without the proxy and through it, come to.
export const VERDICTS = {
  ok: 'accepted with and without the proxy',
  mended: 'refused without the proxy, accepted through it',
  'not mendable': 'refused both ways, and nobody could help',
  REFUSED: 'refused both ways',
  BROKEN: 'accepted without the proxy, refused through it',
  'MADE UP': 'accepted through the proxy though nobody could help',
};

export const isFailure = (verdict) => verdict === verdict.toUpperCase();

export function judge(one, direct, mended) {
  const [before, after] = [accepts(one, direct), accepts(one, mended)];
  if (before) return after ? 'ok' : 'BROKEN';
  if (one.unmendable) return after ? 'MADE UP' : 'not mendable';
  return after ? 'mended' : 'REFUSED';
}

// Where the upstream refuses, a client accepts that if it knows it for an OAuth error with its code.
function accepts(one, { ok, code }) {
  if (!one.error) return ok;
  return !ok && (one.error === '*' ? Boolean(code) : code === one.error);
}

export function asMarkdown(cases, clients, grid, summary) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const groups = [...new Set(cases.map(({ group }) => group))];
  return [
    '# Against the real parsers',
    '',
    'Written by `tests/interop/parsers/run --write`.',
    '',
    ...Object.entries(VERDICTS).map(([verdict, meaning]) => `- **${verdict}**: ${meaning}`),
    '',
    ...summary.map(row).toSpliced(1, 0, row(summary[0].map(() => '---'))),
    ...groups.flatMap((group) => [
      '',
      `## ${group}`,
      '',
      row(['case', 'rows', ...clients]),
      row(['---', '---', ...clients.map(() => '---')]),
      ...cases.filter((one) => one.group === group).map((one) => row([
        one.id.slice(group.length + 1), one.rows.join(' '), ...clients.map((client) => grid.get(one.id)[client].verdict),
      ])),
    ]),
    '',
  ].join('\n');
}

export function asText(lines) {
  const widths = lines[0].map((_, at) => Math.max(...lines.map((line) => String(line[at]).length)));
  return lines.map((line) => line.map((cell, at) => (at ? String(cell).padStart(widths[at]) : cell.padEnd(widths[at]))).join('  ')).join('\n');
}
