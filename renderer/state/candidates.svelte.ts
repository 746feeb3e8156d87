/** Models that were dropped together: each is looked at, and one of them is to be chosen. */
import type { ShearBridge } from '../../preload/contract/channels';
import { ModelChoice } from './model.svelte';

/** Several models, in the order of the drop; which one is chosen is the window's business. */
export class Candidates {
  models = $state.raw<readonly ModelChoice[]>([]);
  busy = $state(true);

  constructor(bridge: ShearBridge, paths: readonly string[]) {
    this.models = paths.map((path) => new ModelChoice(bridge, path));
  }

  /** Those that can be made smaller, as far as they have been looked at. */
  get usable(): readonly ModelChoice[] {
    return this.models.filter((model) => model.isUsable);
  }

  /** Looks at one after the other, so that a whole disk of models is no crowd. A model that is in the list already goes. */
  async inspect(): Promise<void> {
    const seen = new Set<string>();
    for (const model of this.models) {
      await model.inspect();
      const place = model.inspection?.path;
      if (place === undefined) continue;
      if (seen.has(place)) this.models = this.models.filter((other) => other !== model);
      seen.add(place);
    }
    this.busy = false;
  }
}
