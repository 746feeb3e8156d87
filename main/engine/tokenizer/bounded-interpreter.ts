/**
 * An interpreter of Jinja that cannot be made to run forever or to fill the memory: it counts steps, looks at the
 * clock, and weighs every value that a step gives. A template comes from a stranger's file.
 */
import { Interpreter } from '@huggingface/jinja';
import { TextError } from '../support/errors';

/** Real templates take a few dozen steps a message. */
const MAX_STEPS = 1_000_000;
/** The safety net behind the count: single steps take longer the larger their values are. */
const MAX_MS = 2_000;
/** Characters; far above any prompt that a model here can read. */
const MAX_WEIGHT = 4_194_304;
/** A list's element weighs as much as a short text. */
const ELEMENT_WEIGHT = 16;
/** How many calls of the interpreter into itself; real templates stay under a hundred. */
const MAX_DEPTH = 1_000;

type Evaluate = Interpreter['evaluate'];

/** Runs a template under limits. Every limit raises TextError. */
export class BoundedInterpreter extends Interpreter {
  private readonly started = performance.now();
  private steps = 0;
  private depth = 0;
  /** Weights of lists and objects, which may hold each other many times over. */
  private readonly weights = new WeakMap<object, number>();

  override evaluate(...[statement, environment]: Parameters<Evaluate>): ReturnType<Evaluate> {
    this.steps++;
    if (this.steps > MAX_STEPS || performance.now() - this.started > MAX_MS) throw refused('does not come to an end');
    if (this.depth > MAX_DEPTH) throw refused('calls itself without end');
    this.depth++;
    try {
      const value = super.evaluate(statement, environment);
      if (this.weigh(value.value) > MAX_WEIGHT) throw refused('makes a text or a list that is larger than any prompt');
      return value;
    } finally {
      this.depth--;
    }
  }

  private weigh(content: unknown): number {
    if (typeof content === 'string') return content.length;
    if (typeof content !== 'object' || content === null) return 1;
    const known = this.weights.get(content);
    if (known !== undefined) return known;
    // Against values that hold themselves, which have no end.
    this.weights.set(content, ELEMENT_WEIGHT);
    const parts: Iterable<unknown> = Array.isArray(content) ? content : content instanceof Map ? content.values() : [];
    let weight = ELEMENT_WEIGHT;
    for (const part of parts) {
      weight += ELEMENT_WEIGHT + this.weigh(typeof part === 'object' && part !== null && 'value' in part ? part.value : part);
      if (weight > MAX_WEIGHT) break;
    }
    this.weights.set(content, weight);
    return weight;
  }
}

function refused(what: string): TextError {
  return new TextError(`The model's chat template ${what}.`, {
    hint: 'Without the template the model can still go on from plain text.',
  });
}
