/** The report's one style sheet: readable on screens, dark or light, and on paper. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1c1f24; --soft: #5a626e; --paper: #ffffff; --card: #f3f5f8; --edge: #d5dae1;
  --plain: #8a93a0; --warm: #b8560b; --strong: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaef; --soft: #a4adba; --paper: #15181d; --card: #1f242b; --edge: #363d47;
  --plain: #8f99a8; --warm: #f0964b; --strong: #79aefc; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: .75rem 1rem; }
.card strong { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; } .card span { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-variant-numeric: tabular-nums; font-size: .9375rem; }
caption { text-align: left; color: var(--soft); padding: .25rem 0; font-size: .875rem; }
th, td { border-bottom: 1px solid var(--edge); padding: .35rem .6rem; text-align: right; overflow-wrap: anywhere; }
th:first-child { text-align: left; font-weight: 500; } thead th { color: var(--soft); font-weight: 600; }
svg { width: 100%; height: auto; display: block; margin: .75rem 0; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .label { fill: var(--ink); }
svg .plain { fill: var(--plain); } svg .warm { fill: var(--warm); } svg .strong, svg .heat { fill: var(--strong); }
svg .grid { stroke: var(--edge); } svg .line { fill: none; stroke: var(--strong); stroke-width: 1.75; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .75rem; }
.pair div { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: .75rem 1rem; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 1rem 0; } summary { cursor: pointer; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 1rem; font-size: .8125rem; }
code { overflow-wrap: anywhere; }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; } h2 { break-after: avoid; } svg, tr, .card, .pair div { break-inside: avoid; }
  details { display: block; } pre { white-space: pre-wrap; } }
`;
