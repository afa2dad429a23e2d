import type { Table } from './table';

/** What a report shows, from top to bottom. All strings are plain text; only `svg` is markup. */
export interface Report {
  readonly title: string;
  readonly summary: string;
  readonly table: Table;
  readonly chart?: { readonly svg: string; readonly caption: string };
  /** What was run: name and value of each setting. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly command: string;
  /** What a reader should know before drawing conclusions. */
  readonly notes: readonly string[];
}

/** Text as HTML: usable between tags and inside quoted attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

const STYLE = `
  :root { color-scheme: light; }
  body { margin: 0; background: #f6f7f8; color: #1f2328; font: 16px/1.55 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif; }
  main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
  h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .6rem; }
  h2 { font-size: 1.1rem; margin: 2.4rem 0 .8rem; }
  p { margin: 0 0 .8rem; max-width: 48rem; }
  figure, .table { margin: 1.6rem 0 0; padding: 1rem; background: #fff; border: 1px solid #dfe2e5; border-radius: 8px; overflow-x: auto; }
  figure svg { display: block; width: 100%; height: auto; }
  figcaption { margin-top: .4rem; color: #57606a; font-size: .9rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { padding: .45rem .9rem; text-align: left; border-bottom: 1px solid #e6e8eb; white-space: nowrap; }
  thead th { color: #57606a; font-weight: 600; font-size: .88rem; }
  tbody tr:last-child > * { border-bottom: 0; }
  tbody th { font-weight: 500; }
  .right { text-align: right; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.4rem; margin: 0; }
  dt { color: #57606a; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { margin: 0; padding: .9rem 1rem; background: #1f2328; color: #f6f7f8; border-radius: 8px; overflow-x: auto; font-size: .92rem; }
  li { margin-bottom: .3rem; max-width: 48rem; }
  @media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
`;

function tableHtml({ columns, rows }: Table): string {
  const attribute = (index: number): string => (columns[index].align === 'right' ? ' class="right"' : '');
  const head = columns.map(({ title }, i) => `<th scope="col"${attribute(i)}>${escapeHtml(title)}</th>`).join('');
  const body = rows.map((row) => {
    const cells = row.map((text, i) =>
      i === 0 ? `<th scope="row">${escapeHtml(text)}</th>` : `<td${attribute(i)}>${escapeHtml(text)}</td>`,
    );
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

/** The report as one HTML document that needs no other file and no network. */
export function reportHtml(report: Report): string {
  const settings = report.settings.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  const notes = report.notes.map((note) => `<li>${escapeHtml(note)}</li>`);
  const figure = report.chart
    ? `<figure>${report.chart.svg}<figcaption>${escapeHtml(report.chart.caption)}</figcaption></figure>`
    : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(report.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(report.title)}</h1>
<p>${escapeHtml(report.summary)}</p>
<div class="table">${tableHtml(report.table)}</div>
${figure}
<h2>What was run</h2>
<dl>${settings.join('')}</dl>
<h2>Run it again</h2>
<pre><code>${escapeHtml(report.command)}</code></pre>
${notes.length > 0 ? `<h2>Notes</h2>\n<ul>${notes.join('')}</ul>` : ''}
</main>
</body>
</html>
`;
}
