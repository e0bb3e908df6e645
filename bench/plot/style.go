package plot

// style is the look of all plots. SVG is replaced by what selects this plot alone. The paper is painted, so that a plot can be read on a page whose colours
// its reader's browser knows nothing of. Texts have a rim of paper, which parts them from lines beneath.
const style = `SVG { --paper: #ffffff; --ink: #1f2328; --muted: #59636e; --grid: #dfe3e8; --bar: #a9b4c0; --reference: #6b7785; --ours: #0969da; --goal: #bc4c00;
  --s0: #0969da; --s1: #bc4c00; --s2: #1a7f37; --s3: #8250df; --s4: #bf3989; --s5: #59636e }
@media (prefers-color-scheme: dark) {
  SVG { --paper: #0d1117; --ink: #e6edf3; --muted: #9198a1; --grid: #2a313a; --bar: #4d5763; --reference: #8590a0; --ours: #4493f8; --goal: #f0883e;
  --s0: #4493f8; --s1: #f0883e; --s2: #3fb950; --s3: #ab7df8; --s4: #db61a2; --s5: #9198a1 }
}
SVG text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round }
SVG .paper { fill: var(--paper) }
SVG .title { font-size: 16px; font-weight: 600 }
SVG .head { font-size: 13px; font-weight: 600 }
SVG .text { font-size: 12px }
SVG text.ours { font-size: 12px; font-weight: 600 }
SVG .muted { font-size: 11px; fill: var(--muted) }
SVG text.goal { font-size: 11px; fill: var(--goal) }
SVG line { stroke: var(--grid); stroke-width: 1 }
SVG line.axis { stroke: var(--muted) }
SVG line.range { stroke: var(--ink); stroke-width: 1.5 }
SVG line.goal { stroke: var(--goal); stroke-width: 1.5; stroke-dasharray: 5 3 }
SVG rect.bar { fill: var(--bar) }
SVG rect.reference { fill: var(--reference) }
SVG rect.ours { fill: var(--ours) }
SVG polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
SVG polyline.s0 { stroke: var(--s0) } SVG polyline.s1 { stroke: var(--s1) } SVG polyline.s2 { stroke: var(--s2) }
SVG polyline.s3 { stroke: var(--s3) } SVG polyline.s4 { stroke: var(--s4) } SVG polyline.s5 { stroke: var(--s5) }
SVG path.s0 { fill: var(--s0) } SVG path.s1 { fill: var(--s1) } SVG path.s2 { fill: var(--s2) }
SVG path.s3 { fill: var(--s3) } SVG path.s4 { fill: var(--s4) } SVG path.s5 { fill: var(--s5) }
`
