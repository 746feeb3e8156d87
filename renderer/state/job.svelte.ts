/** The choices of one pass through the wizard, for one model. */
import type { ShearBridge } from '../../preload/contract/channels';
import { CheckChoice } from './check.svelte';
import { ModelChoice } from './model.svelte';
import { SizeChoice } from './size.svelte';
import { TextsChoice } from './texts.svelte';
import type { UndoQueue } from './undo.svelte';

/** One model on its way through the wizard; a new model makes a new job. */
export class Job {
  readonly model: ModelChoice;
  readonly size: SizeChoice;
  readonly texts: TextsChoice;
  readonly check: CheckChoice;

  constructor(bridge: ShearBridge, path: string, undo: UndoQueue) {
    this.model = new ModelChoice(bridge, path);
    this.size = new SizeChoice(bridge, path);
    this.texts = new TextsChoice(bridge, path, undo);
    this.check = new CheckChoice(bridge, this);
  }
}
