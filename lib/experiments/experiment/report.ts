import { escapeHtml } from '../report';
import { cellText } from './cells';
import type { FinishedExperiment } from './folder';
import { pictureFile } from './folder';
import { SORT_SCRIPT, STYLE } from './reportPage';
import type { Finding, PicturePart, TablePart } from './result';

const QUICK_MARK = '<p class="quick">Quick look: fewer seeds, rates and steps. Not a result.</p>';

function tableHtml({ title, columns, rows }: TablePart): string {
  const attribute = (i: number): string => (columns[i].format === 'text' ? '' : ' class="right"');
  const head = columns.map(
    ({ title: text }, i) => `<th scope="col"${attribute(i)}><button type="button">${escapeHtml(text)}</button></th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((cell, i) => {
      const text = escapeHtml(cellText(cell, columns[i].format));
      const value = typeof cell === 'string' ? '' : ` data-value="${cell ?? ''}"`;
      return i === 0 ? `<th scope="row"${value}>${text}</th>` : `<td${attribute(i)}${value}>${text}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<div class="table"><table><caption>${escapeHtml(title)}</caption><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

function figureHtml(part: PicturePart, folder: string, svg: string | undefined): string {
  if (svg === undefined) return `<p>Not drawn (--no-chart): ${escapeHtml(part.title)}; its points are in data.csv.</p>`;
  const link = (kind: 'svg' | 'png'): string =>
    `<a href="${folder}/${pictureFile(part, kind)}">${kind.toUpperCase()}</a>`;
  return `<figure>${svg}<figcaption>${escapeHtml(part.caption)} ${link('svg')}, ${link('png')}</figcaption></figure>`;
}

const verdict = (holds: boolean | null): string =>
  holds === null ? '<td>–</td>' : holds ? '<td class="yes">yes</td>' : '<td class="no">no</td>';

function findingsHtml(findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ expected, measured, holds }) =>
      `<tr><td>${escapeHtml(expected)}</td><td>${escapeHtml(measured)}</td>${verdict(holds)}</tr>`,
  );
  return `<div class="table"><table><thead><tr><th scope="col">if the claim holds here</th><th scope="col">we see</th><th scope="col">holds</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

function sectionHtml({ document, pictures }: FinishedExperiment): string {
  const { name } = document;
  const settings = [
    ...document.settings,
    ...(document.drawsMeasurements || document.makesWeights ? [] : [['Weights', document.weights]]),
    ['Package', document.version],
    [document.drawsMeasurements ? 'Drawn on' : 'Machine', document.machine],
  ].map(([key, value]) => `<dt>${escapeHtml(key)}</dt><dd>${escapeHtml(value)}</dd>`);
  const parts = document.parts.map((part) =>
    part.kind === 'table' ? tableHtml(part) : figureHtml(part, name, pictures.get(part.name)),
  );
  const tables = document.parts.filter(({ kind }) => kind === 'table');
  const data = ['data.json', 'data.csv', ...tables.map((part) => `${part.name}.csv`)].map(
    (file) => `<a href="${name}/${file}">${file}</a>`,
  );
  return `<section id="${name}">
<h2>${escapeHtml(document.title)}</h2>
<p class="figure">Experiment <code>${name}</code>, ${escapeHtml(document.figure)} of the paper</p>
${document.quick ? QUICK_MARK : ''}
<h3>What the paper claims</h3>
<blockquote><p>${escapeHtml(document.claim)}</p></blockquote>
<h3>What is run here</h3>
<p>${escapeHtml(document.method)}</p>
<h3>What we see</h3>
${findingsHtml(document.findings)}
${parts.join('\n')}
${document.notes.length > 0 ? `<h3>Before drawing conclusions</h3><ul>${document.notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')}</ul>` : ''}
<h3>What was run</h3>
<dl>${settings.join('')}</dl>
<h3>Run it again</h3>
<pre><code>${escapeHtml(document.command)}</code></pre>
<p>Data: ${data.join(', ')}</p>
</section>`;
}

function overview(finished: readonly FinishedExperiment[]): string {
  const rows = finished.map(({ document: { name, title, figure, findings, quick, drawsMeasurements } }) => {
    const decided = findings.filter(({ holds }) => holds !== null);
    const held = decided.filter(({ holds }) => holds).length;
    return `<tr><th scope="row"><a href="#${name}">${escapeHtml(title)}</a></th><td>${escapeHtml(figure)}</td><td data-value="${held}">${held} of ${decided.length}</td><td>${drawsMeasurements ? 'drawn from measurements' : quick ? 'quick look' : 'full run'}</td></tr>`;
  });
  return `<div class="table"><table><thead><tr><th scope="col">experiment</th><th scope="col">of the paper</th><th scope="col">conditions that hold</th><th scope="col">effort</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** All finished experiments as one HTML document that needs no network; its links lead to the files beside it. */
export function experimentsHtml(finished: readonly FinishedExperiment[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Learned optimizer: experiments</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>The claims of “Learned Optimizers that Scale and Generalize”, tried with learned-optimizer</h1>
<p>Each section says what the paper (Wichrowska et al. 2017, <a href="https://arxiv.org/abs/1703.04813">arXiv 1703.04813</a>) claims, turns it into conditions on numbers, and shows the numbers that were measured here. The learned optimizer is used as it comes; the rates of all others are tuned on seeds that are not reported.</p>
${overview(finished)}
<p>Optimizers racing on landscapes of two parameters, to play with: <code>npx learned-optimizer landscapes</code> writes a page of its own.</p>
${finished.map(sectionHtml).join('\n')}
</main>
<script>${SORT_SCRIPT}</script>
</body>
</html>
`;
}
