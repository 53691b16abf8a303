// The outcome as text and as Markdown. Reasons are numbered notes below the table, each once, with
// the ports taken out, so that two runs of the same programs give the same text.
export const COLUMNS = 100;

export function report(rows, ways) {
  const notes = [];
  const lines = rows.map(({ server, client, results }) => [server, client, ...ways.map((way) => cell(results[way], notes))]);
  return { head: ['server', 'client', ...ways], lines, notes };
}

function cell(result, notes) {
  if (!result) return '-';
  if (result.ok) return 'ok';
  const note = `${result.step}: ${result.error}`;
  const known = notes.indexOf(note);
  const number = known < 0 ? notes.push(note) : known + 1;
  return `${result.step} [${number}]`;
}

export function asText({ head, lines, notes }) {
  const widths = head.map((_, at) => Math.max(...[head, ...lines].map((line) => line[at].length)));
  const row = (line) => line.map((text, at) => text.padEnd(widths[at])).join('  ').trimEnd();
  return [
    row(head),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...lines.map(row),
    ...(notes.length ? ['', 'A name with a number is the step that failed:'] : []),
    ...notes.flatMap((note, at) => wrap(`[${at + 1}] ${note}`)),
  ].join('\n');
}

function wrap(text) {
  const out = [];
  let rest = text;
  while (rest.length > COLUMNS) {
    const space = rest.lastIndexOf(' ', COLUMNS);
    const cut = space > 8 ? space : COLUMNS;
    out.push(rest.slice(0, cut));
    rest = `    ${rest.slice(cut).trimStart()}`;
  }
  return [...out, rest];
}

export function asMarkdown({ head, lines, notes }) {
  const row = (line) => `| ${line.join(' | ')} |`;
  return [
    '# Interoperability: real servers, real clients',
    '',
    'Written by `tests/interop/run --write`. `direct`: no proxy; `plain`: a reverse proxy that mends',
    'nothing; `mended`: mcp-mend. Anything but `ok` names the step that failed.',
    '',
    row(head),
    row(head.map(() => '---')),
    ...lines.map(row),
    '',
    ...notes.map((note, at) => `${at + 1}. ${note.replace(/[<>|*_`]/g, '\\$&')}`),
    '',
  ].join('\n');
}
