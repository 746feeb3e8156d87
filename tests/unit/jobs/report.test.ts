/** The report and the model card: complete, self-contained, and unbroken by hostile text. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { renderModelCard, type ModelCardInput } from '../../../main/engine/export/model-card';
import { renderReport, type ReportInput } from '../../../main/engine/export/report';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { runResultSchema, type RunEvent, type RunResult } from '../../../preload/contract/run';

const HOSTILE = '<script>alert("x")</script> | `code` \n---\nlicense: mit';

const result: RunResult = {
  runId: '20260101-100000-abcdef', removedFraction: 0.2012,
  before: { parameters: 1_000_000, linearParameters: 800_000, bytes: 2_000_000, tokensPerSecond: 50 },
  after: { parameters: 840_000, linearParameters: 640_000, bytes: 1_680_000, tokensPerSecond: 61.23 },
  perplexities: [{ source: HOSTILE, full: 25.4794, pruned: 50.12, recovered: 28.78, tokens: 32704 }],
  samples: [{ prompt: HOSTILE, before: 'one </p> two', after: '&amp; three' }],
  layers: [{ kvHeads: 3, kvHeadsBefore: 3, ffn: 1000, ffnBefore: 1536, locked: { attention: 'user', mlp: null } }, { kvHeads: 2, kvHeadsBefore: 3, ffn: 900, ffnBefore: 1536, locked: { attention: null, mlp: 'knowledge' } }],
  exports: [{ target: { format: 'gguf', dtype: 'F16' }, path: '/out/a.gguf', files: [{ path: '/out/a.gguf', bytes: 1_700_000 }], maxLogitDifference: 0.0021, allowedDifference: 0.0032, notes: ['3 weights are too large for F16'] }],
  report: '/out/report.html', seconds: 3700, peakBytes: 1.5e9,
};

const recipe = completeRecipe({
  model: '/home/someone/models/tiny', out: '/home/someone/out', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1000,
  sources: [{ kind: 'text', path: '/home/someone/texts/a.txt', name: 'a' }],
});

const events: RunEvent[] = [
  ...[3.2, 2.9, 2.5].map((loss, index): RunEvent => ({ runId: 'r', time: index, type: 'loss', stage: 'recover', step: index, loss })),
  ...[0, 1].flatMap((layer) => (['attention', 'mlp'] as const).map((part): RunEvent => ({ runId: 'r', time: 1, type: 'knowledge', layer, part, source: HOSTILE, deviation: 0.1 + layer }))),
];

const input: ReportInput = { modelName: HOSTILE, recipe, result, events, finishedAt: new Date('2026-01-01T11:00:00Z') };

describe('the report', () => {
  it('escapes everything that came from files or people', () => {
    const page = renderReport(input);
    expect(page).not.toContain('<script');
    expect(page).not.toContain('one </p> two');
    expect(page).toContain('&#38;amp; three');
  });

  it('needs no network and no scripts', () => {
    const page = renderReport(input);
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).not.toMatch(/https?:\/\//);
    expect(page).toContain("default-src 'none'");
  });

  it('shows every chart with its table', () => {
    const page = renderReport(input);
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page.match(/<table/g)?.length).toBeGreaterThanOrEqual(4);
    for (const figure of ['25.48', '50.12', '28.78', '1,000,000', '840,000', '2 of 3', '20.1%', '1 h 1 min']) expect(page).toContain(figure);
  });

  it('says that parts were kept whole only where some were', () => {
    expect(renderReport(input)).toContain('kept whole');
    const even = result.layers.map((layer) => ({ ...layer, locked: { attention: null, mlp: null } }));
    expect(renderReport({ ...input, result: { ...result, layers: even } })).not.toContain('kept whole');
  });

  it('says which part of a layer was kept whole, and by whom', () => {
    const page = renderReport(input);
    expect(page).toContain('attention (locked by you)');
    expect(page).toMatch(/>feed-forward</);
  });

  it('reads results of earlier versions, which told one flag for both parts', () => {
    const old = { ...result, layers: result.layers.map((layer) => ({ ...layer, locked: true })) };
    expect(v.parse(runResultSchema, old).layers[0]?.locked).toEqual({ attention: 'knowledge', mlp: 'knowledge' });
  });

  it('says what a file type could not keep', () => {
    expect(renderReport(input)).toContain('<li>3 weights are too large for F16</li>');
  });

  it('is whole without training, knowledge, samples or files', () => {
    const bare = renderReport({ ...input, events: [], result: { ...result, perplexities: [], samples: [], layers: [], exports: [] } });
    expect(bare).toContain('</html>');
    expect(bare).not.toContain('<svg');
  });

  it('survives figures that are not numbers', () => {
    const page = renderReport({ ...input, result: { ...result, perplexities: [{ source: 'a', full: 3, pruned: Number.POSITIVE_INFINITY, recovered: Number.NaN, tokens: 5 }] } });
    expect(page).toContain('not a number');
    expect(page).not.toMatch(/(width|x|y|d)="[^"]*(NaN|Infinity)/);
  });
});

describe('the model card', () => {
  const card = (licence: string, licenceFiles: readonly string[] = []): string =>
    renderModelCard({ name: 'tiny-sheared-20', baseModel: 'someone/tiny', licence, cardLicence: null, licenceFiles, recipe, result, version: '0.1.0', format: 'safetensors', needsCode: false, notes: [] });

  it('names the base model and carries its licence', () => {
    expect(card('Apache-2.0', ['LICENSE'])).toMatch(/^---\nbase_model: someone\/tiny\nlicense: apache-2\.0\n/);
  });

  it('never makes a licence up', () => {
    const text = card('unknown');
    expect(text.split('---')[1]).not.toContain('license');
    expect(text).toContain('do not say under which licence');
  });

  it('points to a licence file whose name is all that is known', () => {
    expect(card('LICENSE.txt', ['LICENSE.txt'])).toContain('license: other\nlicense_link: LICENSE.txt\n');
  });

  const full = (changes: Partial<ModelCardInput>): string =>
    renderModelCard({ name: 'a', baseModel: 'b/c', licence: 'other', cardLicence: null, licenceFiles: ['LICENSE'], recipe, result, version: '0.1.0', format: 'safetensors', needsCode: false, notes: [], ...changes });

  it("states the licence in the original card's own three fields", () => {
    expect(full({ cardLicence: { licence: 'other', name: 'own-1', link: 'https://a.b/c' } })).toContain('\nlicense: other\nlicense_name: own-1\nlicense_link: "https://a.b/c"\n');
    expect(full({ cardLicence: { licence: 'other', name: null, link: null } })).toContain('\nlicense: other\nlicense_link: LICENSE\n');
    expect(full({ cardLicence: { licence: 'llama3.2', name: null, link: null } })).toContain('\nlicense: llama3.2\nlibrary_name');
  });

  it('says how to open the model, whether code must be trusted, and what the file type could not keep', () => {
    expect(full({})).toContain('AutoModelForCausalLM.from_pretrained(FOLDER)');
    expect(full({})).not.toContain('trust_remote_code');
    expect(full({ needsCode: true })).toContain('from_pretrained(FOLDER, trust_remote_code=True)');
    expect(full({ format: 'gguf' })).toContain('llama.cpp');
    expect(full({ notes: ['3 weights are too small for F16.'] })).toContain('\n3 weights are too small for F16.\n');
  });

  it('tells nobody the folders of the person who made it', () => {
    expect(card('mit')).not.toContain('/home/someone');
  });

  it('lists the widths of layers that differ', () => {
    expect(card('mit')).toContain('| 2 | 2 of 3 | 900 of 1536 |');
  });

  it('is not broken by names with lines and pipes in them', () => {
    const text = renderModelCard({ name: HOSTILE, baseModel: HOSTILE, licence: 'unknown', cardLicence: null, licenceFiles: [], recipe, result, version: '0.1.0', format: 'gguf', needsCode: false, notes: [HOSTILE] });
    const front = text.split('\n---\n')[0] ?? '';
    expect(front).not.toMatch(/^license:/m);
    expect(text).toContain('\\<script\\>');
  });
});
