/** Names of models from where they lie. */
import { describe, expect, it } from 'vitest';
import { hubIdOf, modelNameOf, shearedName } from '../../../main/engine/jobs/model-name';

describe('the name of a model', () => {
  it.each([
    ['/models/SmolLM2-135M', 'SmolLM2-135M'],
    ['/models/SmolLM2-135M.Q4_1.gguf', 'SmolLM2-135M.Q4_1'],
    ['/models/tiny/model.safetensors', 'tiny'],
    ['/models/tiny/config.json', 'tiny'],
    ['/resources/example/model', 'example'],
    ['/cache/models--HuggingFaceTB--SmolLM2-135M/snapshots/93efa2f097d58c2a74874c7e644dbc9b0cee75a2', 'SmolLM2-135M'],
    ['/models/模型　ü 1', '模型　ü 1'],
  ])('of %s is %s', (path, name) => {
    expect(modelNameOf(path)).toBe(name);
  });

  it('becomes a file name with what was removed', () => {
    expect(shearedName('/models/模型　ü 1', 0.2012)).toBe('模型-ü-1-sheared-20');
  });
});

describe('the id on the Hub', () => {
  it('comes from the cache’s path or from the configuration', () => {
    expect(hubIdOf('/cache/models--a--b/snapshots/1')).toBe('a/b');
    expect(hubIdOf('/x', { kind: 'huggingface', config: { _name_or_path: 'a/b' } })).toBe('a/b');
    expect(hubIdOf('/x', { kind: 'huggingface', config: { _name_or_path: '/home/me/b' } })).toBeNull();
    expect(hubIdOf('/x')).toBeNull();
  });
});
