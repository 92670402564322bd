/** The report's whole style: system fonts, light and dark by the reader's preference, no outside resource. */
export const STYLES = `
:root {
  color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fbfaf7; --card: #ffffff; --line: #e3e1da;
  --accent: #b4552d; --good: #1f7a4d; --bad: #b3261e; --warn: #8a5a00; --frozen: #2b6cb0; --curve-1: #b4552d;
  --curve-2: #2b6cb0; --curve-3: #1f7a4d; --curve-4: #7a4fa3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e8e6e1; --soft: #a3abb6; --paper: #14171c; --card: #1c2027; --line: #323842; --accent: #f0936a;
    --good: #6fcf97; --bad: #ff8a80; --warn: #ffc266; --frozen: #82b7f0; --curve-1: #f0936a; --curve-2: #82b7f0;
    --curve-3: #6fcf97; --curve-4: #c8a2ea;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; max-width: 46rem; }
.soft { color: var(--soft); font-size: .9rem; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.45rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .5rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.best td { font-weight: 650; }
.name { white-space: nowrap; }
.state { font-weight: 600; }
.frozen { color: var(--frozen); }
.train { color: var(--good); }
.partial, .adapter, .warning { color: var(--warn); }
.error, .wrong { color: var(--bad); }
.note { color: var(--soft); }
.right { color: var(--good); }
figure { margin: 0; }
.plot { padding: .75rem; }
.plot svg { max-width: 100%; height: auto; display: block; margin: 0 auto; overflow: visible; }
.legend {
  display: flex; gap: 1.25rem; flex-wrap: wrap; color: var(--soft); font-size: .85rem; padding: 0 .8rem .7rem;
}
.legend i {
  display: inline-block; width: 1.1rem; height: .2rem; border-radius: 1px; vertical-align: middle;
  margin-right: .4rem;
}
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .75rem; }
.gallery figure {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; text-align: center;
}
.gallery img { width: 72px; height: 72px; object-fit: contain; background: #fff; border-radius: .4rem; padding: 4px; }
.gallery dl {
  display: grid; grid-template-columns: auto 1fr; gap: .1rem .5rem; margin: .5rem 0 0; text-align: left;
  font-size: .84rem;
}
.gallery dt { color: var(--soft); }
.gallery dd { margin: 0; overflow-wrap: anywhere; }
.finding { border-left: 3px solid currentColor; padding: .3rem 0 .3rem .9rem; margin: .8rem 0; }
.finding p { color: var(--ink); }
@media print {
  body { background: #fff; }
  .card, .scroll, .gallery figure { break-inside: avoid; }
}
`;
