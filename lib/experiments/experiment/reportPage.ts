/** Style of the report: light and dark, for screen and print. Pictures stand on white in both. */
export const STYLE = `
  :root { color-scheme: light dark; --paper: #f6f7f8; --card: #fff; --ink: #1f2328; --muted: #57606a; --line: #dfe2e5; --link: #0550ae; --quick: #9a5b00; --quick-paper: #fff4df; --yes: #00694e; --no: #a33b00; }
  @media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1d2127; --ink: #e6e8eb; --muted: #a2abb5; --line: #373d45; --link: #79b8ff; --quick: #ffc766; --quick-paper: #3a2c10; --yes: #4fd1a5; --no: #ff9a62; } }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif; }
  main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
  a { color: var(--link); }
  h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 .6rem; }
  h2 { font-size: 1.4rem; margin: 0 0 .3rem; }
  h3 { font-size: 1.02rem; margin: 2rem 0 .5rem; }
  p, li { max-width: 50rem; }
  p { margin: 0 0 .8rem; }
  section { margin-top: 4rem; padding-top: 2rem; border-top: 3px solid var(--line); }
  figure, .table { margin: 1.2rem 0 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
  .table { background: var(--card); }
  figure { background: #fff; color: #57606a; }
  figure svg { display: block; width: 100%; height: auto; }
  figcaption { margin-top: .4rem; font-size: .92rem; max-width: 50rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  caption { text-align: left; font-weight: 600; padding: 0 0 .5rem .6rem; }
  th, td { padding: .4rem .6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
  thead th { color: var(--muted); font-weight: 600; font-size: .88rem; }
  thead button { all: unset; cursor: pointer; }
  thead button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
  thead button::after { content: " ↕"; opacity: .45; }
  th[aria-sort=ascending] button::after { content: " ↑"; opacity: 1; }
  th[aria-sort=descending] button::after { content: " ↓"; opacity: 1; }
  tbody tr:last-child > * { border-bottom: 0; }
  tbody th { font-weight: 500; }
  .right { text-align: right; }
  .yes { color: var(--yes); font-weight: 600; }
  .no { color: var(--no); font-weight: 600; }
  .figure { color: var(--muted); margin: 0 0 1rem; }
  .quick { display: inline-block; margin: 0 0 1rem; padding: .3rem .8rem; border-radius: 6px; background: var(--quick-paper); color: var(--quick); font-weight: 600; }
  blockquote { margin: 0 0 1rem; padding: .1rem 0 .1rem 1rem; border-left: 4px solid var(--line); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.4rem; margin: 0; }
  dt { color: var(--muted); }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { margin: .4rem 0 0; padding: .8rem 1rem; background: #1f2328; color: #f6f7f8; border-radius: 8px; overflow-x: auto; font-size: .92rem; }
  @media (max-width: 44rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
  @media print { section { break-before: page; } thead button::after { content: ""; } }
`;

/** Sorts a table by the column whose title is clicked: by value where cells have one, else by text; what has none last. */
export const SORT_SCRIPT = `
  for (const button of document.querySelectorAll('thead button')) button.addEventListener('click', () => {
    const head = button.parentElement, row = head.parentElement, column = [...row.children].indexOf(head);
    const up = head.getAttribute('aria-sort') !== 'ascending', body = head.closest('table').tBodies[0];
    for (const other of row.children) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const value = (line) => line.children[column].dataset.value ?? line.children[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)], numbers = [x, y].map((v) => v === '' ? NaN : Number(v));
      if (!numbers.some(Number.isNaN)) return up ? numbers[0] - numbers[1] : numbers[1] - numbers[0];
      if (x === '' || y === '') return (x === '') - (y === '');
      return up ? x.localeCompare(y) : y.localeCompare(x);
    };
    body.append(...[...body.rows].sort(compare));
  });
`;
