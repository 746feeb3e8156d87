/** The prompt box of the result page: the same prompt and seed to the original and to the smaller model. */
import type { ShearBridge } from '../../preload/contract/channels';
import { ask, errorData, type ErrorData } from './bridge.svelte';

/** One model's answer as it grows. */
export class AnswerPane {
  readonly model: string;
  text = $state('');
  tokensPerSecond = $state<number | null>(null);
  status = $state<'idle' | 'waiting' | 'writing' | 'done'>('idle');
  error = $state.raw<ErrorData | null>(null);

  constructor(model: string) {
    this.model = model;
  }
}

/** Two models and a prompt; `temperature` 0 always takes the likeliest token. */
export class Comparison {
  readonly #bridge: ShearBridge;
  readonly before: AnswerPane;
  readonly after: AnswerPane;
  prompt = $state('');
  tokens = $state(100);
  seed = $state(1);
  temperature = $state(0.7);
  isBusy = $state(false);
  #streamId = '';
  #round = 0;
  /** The round that the person stopped. */
  #stoppedRound = 0;

  constructor(bridge: ShearBridge, original: string, smaller: string) {
    this.#bridge = bridge;
    this.before = new AnswerPane(original);
    this.after = new AnswerPane(smaller);
  }

  /** Lets both models write, one after the other: together they would share the processor and both look slow. */
  async write(): Promise<void> {
    if (this.isBusy || this.prompt.trim() === '') return;
    this.isBusy = true;
    this.#round += 1;
    const round = this.#round;
    for (const pane of [this.before, this.after]) {
      pane.text = '';
      pane.error = null;
      pane.tokensPerSecond = null;
      pane.status = 'waiting';
    }
    for (const [name, pane] of [['before', this.before], ['after', this.after]] as const) {
      if (this.#stoppedRound === round) pane.status = 'idle';
      else await this.#writeOne(pane, `${name}-${round}-${Date.now()}`);
    }
    this.isBusy = false;
  }

  async stop(): Promise<void> {
    this.#stoppedRound = this.#round;
    try {
      await ask(this.#bridge, 'text.stop', { streamId: this.#streamId });
    } catch (error) {
      this.after.error = errorData(error);
    }
  }

  async #writeOne(pane: AnswerPane, streamId: string): Promise<void> {
    this.#streamId = streamId;
    pane.status = 'writing';
    const stopListening = this.#bridge.on('text.piece', (piece) => {
      if (piece.streamId === streamId) pane.text += piece.text;
    });
    try {
      const answer = await ask(this.#bridge, 'text.generate', {
        model: pane.model, prompt: this.prompt, tokens: this.tokens, seed: this.seed, temperature: this.temperature, streamId,
      });
      pane.text = answer.text;
      pane.tokensPerSecond = answer.tokensPerSecond;
    } catch (error) {
      const data = errorData(error);
      if (data.code !== 'cancelled') pane.error = data;
    } finally {
      stopListening();
      pane.status = 'done';
    }
  }
}
