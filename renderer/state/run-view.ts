/** A run as its events tell it: a pure fold, so that a run opened from disk looks like one watched live. */
import { STAGES, type LayerLocks, type Phase, type RunEvent, type RunState, type Stage } from '../../preload/contract/run';
import type { ErrorData } from './bridge.svelte';

/** The two halves of a layer. */
export type Part = 'attention' | 'mlp';

/** Training loss in nats a token at a step of a stage. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
  readonly stage: Stage;
}

/** Perplexity of one text in one phase; later steps replace earlier ones. */
export interface PerplexityPoint {
  readonly source: string;
  readonly phase: Phase;
  readonly step: number;
  readonly perplexity: number;
}

/** How many nats a token a text gets worse when this part alone is pruned. */
export interface KnowledgeCell {
  readonly layer: number;
  readonly part: Part;
  readonly source: string;
  readonly deviation: number;
}

/** Widths of one layer (counted from 0) before and after. */
export interface LayerWidths {
  readonly layer: number;
  readonly kvHeads: number;
  readonly kvHeadsBefore: number;
  readonly ffn: number;
  readonly ffnBefore: number;
  readonly locked: LayerLocks;
}

/** Everything that the run page shows. `overall` is 0 to 1. */
export interface RunView {
  readonly state: RunState;
  readonly stage: Stage | null;
  readonly finishedStages: readonly Stage[];
  readonly overall: number;
  readonly stageDone: number;
  readonly stageTotal: number;
  readonly secondsLeft: number | null;
  readonly startedAt: number | null;
  readonly lastAt: number | null;
  readonly losses: readonly LossPoint[];
  readonly perplexities: readonly PerplexityPoint[];
  readonly knowledge: readonly KnowledgeCell[];
  readonly layers: readonly LayerWidths[];
  readonly mix: Readonly<Record<string, number>> | null;
  readonly notes: readonly string[];
  readonly error: ErrorData | null;
}

/** A run of which nothing is known yet. */
export function emptyView(): RunView {
  return {
    state: 'running', stage: null, finishedStages: [], overall: 0, stageDone: 0, stageTotal: 0, secondsLeft: null,
    startedAt: null, lastAt: null, losses: [], perplexities: [], knowledge: [], layers: [], mix: null, notes: [], error: null,
  };
}

/**
 * The view after further events. Repeated figures (a continued run tells some again) replace the earlier ones.
 * Linear in the view's points plus the events, so call it for batches rather than for single events.
 */
export function foldEvents(view: RunView, events: readonly RunEvent[]): RunView {
  if (events.length === 0) return view;
  let { state, stage, finishedStages, overall, stageDone, stageTotal, secondsLeft, startedAt, lastAt, mix, error } = view;
  const losses = new Map(view.losses.map((point) => [`${point.stage} ${point.step}`, point]));
  const perplexities = new Map(view.perplexities.map((point) => [perplexityKey(point), point]));
  const knowledge = new Map(view.knowledge.map((cell) => [knowledgeKey(cell), cell]));
  const layers = new Map(view.layers.map((layer) => [layer.layer, layer]));
  const notes = [...view.notes];
  for (const event of events) {
    startedAt ??= event.time;
    lastAt = event.time;
    switch (event.type) {
      case 'stage':
        stage = event.stage;
        finishedStages = STAGES.slice(0, STAGES.indexOf(event.stage));
        stageDone = 0;
        stageTotal = 0;
        break;
      case 'progress':
        stage ??= event.stage;
        overall = event.overall;
        stageDone = event.done;
        stageTotal = event.total;
        secondsLeft = event.secondsLeft;
        break;
      case 'loss':
        losses.set(`${event.stage} ${event.step}`, { step: event.step, loss: event.loss, stage: event.stage });
        break;
      case 'perplexity':
        perplexities.set(perplexityKey(event), {
          source: event.source, phase: event.phase, step: event.step, perplexity: event.perplexity,
        });
        break;
      case 'knowledge':
        knowledge.set(knowledgeKey(event), {
          layer: event.layer, part: event.part, source: event.source, deviation: event.deviation,
        });
        break;
      case 'layer':
        layers.set(event.layer, {
          layer: event.layer, kvHeads: event.kvHeads, kvHeadsBefore: event.kvHeadsBefore, ffn: event.ffn,
          ffnBefore: event.ffnBefore, locked: event.locked,
        });
        break;
      case 'mix':
        mix = event.weights;
        break;
      case 'note':
        if (notes.at(-1) !== event.text) notes.push(event.text);
        break;
      case 'state':
        state = event.state;
        error = event.error ?? null;
        // A run that is continued later counts its time from then: the pause was no work.
        if (state === 'running') startedAt = event.time;
        if (state !== 'running') secondsLeft = null;
        if (state === 'done') {
          overall = 1;
          finishedStages = STAGES;
          stage = null;
        }
        break;
    }
  }
  return {
    state, stage, finishedStages, overall, stageDone, stageTotal, secondsLeft, startedAt, lastAt, mix, error, notes,
    losses: [...losses.values()],
    perplexities: [...perplexities.values()],
    knowledge: [...knowledge.values()],
    layers: [...layers.values()].sort((a, b) => a.layer - b.layer),
  };
}

/** The sources that the view has figures of, in the order of their first appearance. */
export function sourcesOf(view: RunView): readonly string[] {
  return [...new Set([...view.perplexities, ...view.knowledge].map((point) => point.source))];
}

/** The newest perplexity of a source in a phase, or null while it is not measured. */
export function latestPerplexity(view: RunView, source: string, phase: Phase): number | null {
  const points = view.perplexities.filter((point) => point.source === source && point.phase === phase);
  return points.reduce<PerplexityPoint | null>((best, point) => (best === null || point.step >= best.step ? point : best), null)?.perplexity ?? null;
}

function perplexityKey(point: { readonly source: string; readonly phase: Phase; readonly step: number }): string {
  return `${point.phase} ${point.step} ${point.source}`;
}

function knowledgeKey(cell: { readonly layer: number; readonly part: Part; readonly source: string }): string {
  return `${cell.layer} ${cell.part} ${cell.source}`;
}
