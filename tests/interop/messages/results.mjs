// The outcome as Markdown.
import { VERDICTS } from './judge.mjs';

export function asMarkdown(cases, names, grid, summary) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [
    '# Against real clients, message by message',
    '',
    'Written by `tests/interop/messages/run --write`.',
    '',
    ...Object.entries(VERDICTS).map(([verdict, meaning]) => `- **${verdict}**: ${meaning}`),
    '',
    ...summary.map(row).toSpliced(1, 0, row(summary[0].map(() => '---'))),
    '',
    row(['case', 'rows', ...names]),
    row(['---', '---', ...names.map(() => '---')]),
    ...cases.map((one) => row([one.id, one.rows.join(' '), ...names.map((name) => grid.get(one.id)[name]?.verdict ?? '-')])),
    '',
  ].join('\n');
}
