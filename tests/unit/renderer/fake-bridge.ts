/** A bridge for tests of the window's state: answers are functions by channel, events are sent by hand. */
import type { Answer, Channel, EventName, EventPayload, Reply, Request, ShearBridge } from '../../../preload/contract/channels';
import type { Inspection, TextPreview } from '../../../preload/contract/model';
import type { SizeForecast } from '../../../preload/contract/run';
import { CallError, errorData } from '../../../renderer/state/bridge.svelte';

type Answers = { [Name in Channel]?: (request: Request<Name>) => Reply<Name> | Promise<Reply<Name>> };
type Listeners = { [Name in EventName]: Set<(payload: EventPayload<Name>) => void> };

export class FakeBridge implements ShearBridge {
  readonly answers: Answers;
  /** Every call so far, by channel name and request. */
  readonly calls: { readonly name: Channel; readonly request: unknown }[] = [];
  readonly #listeners: Listeners = { 'run.event': new Set(), 'text.piece': new Set(), 'engine.lost': new Set(), 'app.opened': new Set() };

  constructor(answers: Answers) {
    this.answers = answers;
  }

  async call<Name extends Channel>(name: Name, request: Request<Name>): Promise<Answer<Reply<Name>>> {
    // What crosses the real bridge is cloned, which fails on reactive proxies.
    this.calls.push({ name, request: structuredClone(request) });
    const answer = this.answers[name];
    try {
      if (answer === undefined) throw new CallError({ code: 'usage', message: `No answer for ${name}.`, details: {} });
      return { ok: true, value: await answer(request) };
    } catch (error) {
      return { ok: false, error: errorData(error) };
    }
  }

  on<Name extends EventName>(name: Name, listener: (payload: EventPayload<Name>) => void): () => void {
    this.#listeners[name].add(listener);
    return () => this.#listeners[name].delete(listener);
  }

  pathOf(): string {
    return '';
  }

  send<Name extends EventName>(name: Name, payload: EventPayload<Name>): void {
    for (const listener of this.#listeners[name]) listener(payload);
  }

  listenerCount(name: EventName): number {
    return this.#listeners[name].size;
  }

  /** Requests of one channel, in order. */
  requests(name: Channel): readonly unknown[] {
    return this.calls.filter((call) => call.name === name).map((call) => call.request);
  }
}

/** An inspection of a small model without problems. */
export function inspection(path: string): Inspection {
  return {
    path, name: 'small', kind: 'huggingface', family: 'Llama', parameters: 260_000, linearParameters: 200_000,
    embeddingParameters: 32_768, headParameters: 0, bytes: 1_040_000,
    layers: 2, hidden: 64, heads: 8, kvHeads: 4, headDim: 8, ffn: 172, vocabulary: 512, contextLength: 128, dtype: 'F32',
    tied: true, tokenizer: 'SentencePiece BPE', hasChatTemplate: false, licence: 'MIT',
    perLayer: [0, 1].map(() => ({ heads: 8, kvHeads: 4, ffn: 172, parameters: 45_312, attentionParameters: 12_288, mlpParameters: 33_024 })), problems: [],
  };
}

/** A preview of a readable text. */
export function preview(path: string, tokens = 40_000, stage: TextPreview['stage'] = 'pretraining'): TextPreview {
  return { path, name: path, bytes: 4 * tokens, documents: 10, tokens, format: stage === 'instruction' ? 'JSON lines, rows of one kind' : 'plain text', stage, samples: ['Once.'], problems: [], tokensExact: true, leftOut: 0, badRows: [], columns: [], languages: [] };
}

/** A forecast that says nothing surprising. */
export function forecast(removedFraction: number): SizeForecast {
  return {
    removedFraction, parametersBefore: 260_000, parametersAfter: 220_000, bytesBefore: 520_000, bytesAfter: 440_000,
    kvHeads: 3, heads: 6, ffn: 140, opensIn: [],
  };
}
