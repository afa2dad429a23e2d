import { describe, expect, it } from 'vitest';
import { formatLoss, formatPercent, formatRate, formatRatio, formatSeconds } from '../../lib/experiments/format';
import { escapeHtml, reportHtml } from '../../lib/experiments/report';
import { columns } from '../../lib/experiments/table';

describe('reportHtml', () => {
  const evil = `<script>alert("1")</script> & 'x'`;
  const html = reportHtml({
    title: evil,
    summary: evil,
    table: { columns: columns(evil, 'loss'), rows: [[evil, evil]] },
    chart: { svg: '<svg id="chart"></svg>', caption: evil },
    settings: [[evil, evil]],
    command: evil,
    notes: [evil],
  });

  it('escapes all text and keeps the picture', () => {
    expect(html).not.toContain('<script');
    expect(html.split(escapeHtml(evil))).toHaveLength(12);
    expect(html).toContain('<svg id="chart"></svg>');
  });

  it('needs nothing from elsewhere', () => {
    expect(html).not.toMatch(/(src|href)=|@import|url\(/);
  });

  it('closes what it opens', () => {
    for (const tag of [
      'html',
      'head',
      'body',
      'main',
      'table',
      'thead',
      'tbody',
      'dl',
      'ul',
      'figure',
      'pre',
      'style',
    ]) {
      const count = (pattern: string): number => html.match(new RegExp(pattern, 'g'))?.length ?? 0;
      expect(count(`<${tag}[ >]`), tag).toBe(count(`</${tag}>`));
      expect(count(`</${tag}>`), tag).toBeGreaterThan(0);
    }
  });
});

describe('formatting', () => {
  it.each([
    [formatLoss(0.062149), '0.0621'],
    [formatLoss(1.0234e-5), '1.02e-5'],
    [formatLoss(2.4), '2.4'],
    [formatLoss(0), '0'],
    [formatLoss(NaN), 'diverged'],
    [formatLoss(Infinity), 'diverged'],
    [formatPercent(0.9722), '97.2 %'],
    [formatSeconds(3.14159), '3.1 s'],
    [formatSeconds(171.6), '172 s'],
    [formatRatio(6214), '6,200×'],
    [formatRatio(0.453), '0.45×'],
    [formatRatio(NaN), '–'],
    [formatRate(1e-3), '0.001'],
    [formatRate(1e-4), '1e-4'],
    [formatRate(10 ** -3.5), '3.16e-4'],
  ])('%s', (actual, expected) => expect(actual).toBe(expected));
});
