/** Every English text of the window, by page. Words for people who have never trained a model. */
import type { RecipeInput } from '../../preload/contract/recipe';
import type { TextPreview } from '../../preload/contract/model';
import type { Drawn } from '../state/texts.svelte';
import { enProgram } from './en-program';
import { counted, formatBytes, formatCompact, formatCount, formatDuration, formatFigure, formatPercent, formatRounded, formatTimes, formatWholePercent, languageName, roundedTo2 } from './format';

/** The English texts; functions take numbers and put them into words. */
export const en = {
  app: {
    name: 'Shear',
    home: 'Home',
    settings: 'Settings',
    help: 'Help',
    program: 'About this program',
    steps: 'Steps',
    skip: 'Skip to the page',
    offline: 'Works offline. Nothing leaves this computer.',
    version: (version: string) => `Version ${version}`,
    back: 'Back',
    next: 'Next',
    stepHeading: (number: number, count: number, name: string) => `Step ${number} of ${count}: ${name}`,
    title: (page: string) => `${page} – Shear`,
    dropHere: 'Drop it anywhere in this window',
    close: 'Close',
    undo: 'Undo',
    showTable: 'Show as table',
    showChart: 'Show as chart',
    whatIs: (term: string) => `What is ${term}?`,
    busy: 'One moment…',
  },
  steps: { model: 'Model', size: 'Size', texts: 'Texts', check: 'Check', run: 'Run', result: 'Result' },
  error: {
    titles: {
      usage: 'This choice does not work',
      format: 'This file could not be read',
      shape: 'The parts of this model do not fit together',
      unsupported: 'This kind of model is not supported yet',
      'not-found': 'Something is missing',
      text: 'This text cannot be used',
      memory: 'Not enough memory',
      disk: 'Not enough disk space',
      plan: 'This size cannot be reached',
      session: 'The computation failed',
      verification: 'The written model did not pass its check',
      cancelled: 'Stopped',
      internal: 'Something went wrong inside Shear',
    } as Readonly<Record<string, string>>,
    other: 'Something went wrong',
    copy: 'Copy details',
    copied: 'Copied',
    warning: 'Good to know',
    problem: 'This must be solved first',
  },
  lost: {
    title: 'The part of Shear that computes has stopped and was started again.',
    withRun: 'Your run is saved, but for the last minutes at most. You can continue it.',
    continue: 'Continue the run',
  },
  drop: {
    nothing: 'Nothing with a place on this computer was dropped. Drop a file or a folder.',
    notNow: 'A run is shown here. Go to Home first to start with another model.',
    textsKept: (count: number, isChoosing: boolean) =>
      `Kept ${counted(count, 'text', 'texts')} for step 3. Now ${isChoosing ? 'choose' : 'drop'} the model that you want to make smaller.`,
    textsAdded: (count: number) => (count === 0 ? 'These texts are in the list already.' : `Added ${counted(count, 'text', 'texts')}.`),
    took: (model: string, texts: number) => `Took “${model}” as the model${alsoTexts(texts)}.`,
    several: (models: number, texts: number) => `${models} possible models were dropped${alsoTexts(texts)}. One is made smaller at a time: choose it below.`,
    onlyOne: (model: string, texts: number) => `Took “${model}”, the only one that can be used${alsoTexts(texts)}.`,
  },
  candidates: {
    legend: 'Which model shall be made smaller?',
    reading: 'Reading…',
    facts: (family: string, parameters: number, bytes: number, dtype: string, notes: number) =>
      `${familyName(family)}, ${formatCompact(parameters)} parameters, ${formatBytes(bytes)} (${dtype})` + (notes > 0 ? `, ${counted(notes, 'note', 'notes')}` : ''),
  },
  home: {
    title: 'Make a language model smaller',
    lead: 'Drop a model, choose how small it shall be and what it shall stay good at, and take away a model that opens in the programs you use.',
    dropTitle: 'Drop a model here',
    dropHint: 'A Hugging Face folder, one of its files, or a .gguf file. It is read where it is, and never changed.',
    file: 'Choose a file…',
    folder: 'Choose a folder…',
    exampleTitle: 'No model at hand?',
    exampleBody: 'Try a tiny story-telling model that comes with Shear. The whole way takes about two minutes.',
    example: 'Try the example',
    recent: 'Recent models',
    forget: (name: string) => `Take ${name} off this list; the model stays where it is`,
    runs: 'Your runs',
    noRuns: 'Runs appear here. Each can be opened again, and one that was interrupted can be continued.',
    open: 'Open',
    openResult: 'Open the result',
    continue: 'Continue',
    watch: 'Watch',
    remove: (name: string) => `Delete the record of ${name}`,
    removed: (name: string) => `The record of “${name}” is deleted. Exported models stay where they are.`,
    states: {
      running: 'Running', done: 'Done', failed: 'Stopped by a problem', cancelled: 'Cancelled', interrupted: 'Interrupted',
    },
    canContinue: (stage: string) => `Can be continued after “${stage}”`,
    canStartOver: 'Can be continued from the start',
    runLine: (size: string, when: string) => `${size} · ${when}`,
    sizes: {
      ratio: (percent: string) => `${percent} smaller`,
      bytes: (bytes: number) => `at most ${formatBytes(bytes)}`,
      parameters: (count: number) => `at most ${formatCompact(count)} parameters`,
      memory: (bytes: number) => `to run in ${formatBytes(bytes)}`,
    },
    outcome: (before: string, after: string) => `${before} → ${after}`,
  },
  model: {
    reading: 'Reading what this model is…',
    summary: (name: string, family: string, parameters: number, layers: number, bytes: number) =>
      `“${name}” is a model of the ${familyName(family)} family with ${formatCompact(parameters)} parameters in ${counted(layers, 'layer', 'layers')}. Its weights take ${formatBytes(bytes)}.`,
    facts: 'Facts',
    family: 'Family',
    familyName,
    fileType: 'Stored as',
    kinds: { huggingface: 'Hugging Face folder', gguf: 'GGUF file' },
    parameters: 'Parameters',
    prunable: 'Parameters that can be removed from',
    bytes: 'Size of the weights',
    dtype: 'Number format',
    layers: 'Layers',
    hidden: 'Width',
    heads: 'Attention heads',
    headsValue: (heads: number, kvHeads: number) => (heads === kvHeads ? `${heads}` : `${heads} in ${counted(kvHeads, 'group', 'groups')}`),
    ffn: 'Feed-forward width',
    vocabulary: 'Vocabulary',
    tokens: (count: number) => counted(count, 'token', 'tokens'),
    context: 'Longest text',
    tokenizer: 'Tokenizer',
    chat: 'Chat template',
    licence: 'Licence',
    yes: 'yes',
    no: 'no',
    unknown: 'not stated',
    licenceNote: 'The model does not state a licence. Check that you may change it and pass it on.',
    picture: 'Where its parameters are',
    pictureSummary: (attention: number, mlp: number) =>
      `In each layer, ${formatWholePercent(attention / Math.max(1, attention + mlp))} of the parameters are in attention and ${formatWholePercent(mlp / Math.max(1, attention + mlp))} in the feed-forward part. Shear removes from both.`,
    pictureNote: (inLayers: number, all: number) =>
      `${formatCompact(inLayers)} of the ${formatCompact(all)} parameters are in these layers; most of the rest is the vocabulary table.`,
    attention: 'Attention',
    mlp: 'Feed-forward',
    layer: 'Layer',
    wayOut: 'Solve the problems above, or choose another model.',
  },
  size: {
    lead: 'Say how small it shall be, in the way that suits you. The exact result is shown beside it.',
    kind: 'Choose the size by',
    kinds: { ratio: 'Share', bytes: 'File size', memory: 'Memory', parameters: 'Parameters' },
    percent: 'Remove',
    percentOf: 'percent of the layers’ parameters',
    presets: { light: 'Light', balanced: 'Balanced', strong: 'Strong' },
    presetHints: { light: 'nearly as good', balanced: 'a good start', strong: 'clearly weaker' },
    risky: 'More than half of the layers goes. Models usually lose their language at this size; training afterwards brings back only a part.',
    atMost: 'At most',
    unit: 'Unit',
    countUnits: { thousand: 'thousand', million: 'million', billion: 'billion' },
    memoryChoices: 'Usual sizes of memory',
    fitsIn: 'Fits in',
    context: 'With a text of',
    contextUnit: 'tokens',
    contextHint: (program: string) =>
      `While a model works on a text, notes on it lie in memory too: the longer the text, the more. ${program} are set aside for the program.`,
    contextShort: (tokens: number) => `This model reads at most ${counted(tokens, 'token', 'tokens')}, so no more are counted.`,
    counted: 'Stored as',
    countedHint: {
      bytes: 'Files in other types that you write as well have other sizes.',
      memory: 'The type that you will run. In other types it needs more or less.',
    },
    parametersHint: 'Of the whole model, vocabulary tables included.',
    met: 'The model is no larger than that already, so nothing would go. Choose something smaller to go on.',
    nameEnd: (size: RecipeInput['size']) => {
      switch (size.kind) {
        case 'ratio':
          return `minus-${Math.round(size.ratio * 100)}-percent`;
        case 'bytes':
          return `in-${formatBytes(size.bytes).replaceAll(/\s/g, '-')}`;
        case 'memory':
          return `for-${formatBytes(size.bytes).replaceAll(/\s/g, '-')}-memory`;
        case 'parameters':
          return `with-${formatCompact(size.parameters).replaceAll(/\s/g, '-')}`;
      }
    },
    mode: 'Shape of the result',
    everywhere: 'Opens everywhere',
    everywhereHint:
      'Every layer loses the same share, so every program can open the result. The knowledge map shows where knowledge sits, but spares no layer.',
    quality: 'Best quality',
    qualityHint: 'Each layer keeps what it needs most, and the parts that matter most are spared. Fewer programs open it.',
    outcome: 'What you will get',
    parameters: 'Parameters',
    bytes: (type: string) => `Size on disk as ${type}`,
    before: 'Now',
    after: 'Afterwards',
    sentence: (percent: number, before: number, after: number) =>
      `Exactly ${formatPercent(percent)} of the layers’ parameters go; the whole model shrinks from ${formatBytes(before)} to ${formatBytes(after)}.`,
    wholeNote: 'The vocabulary tables stay as they are, so the whole model shrinks by less than its layers.',
    widths: 'Width of a layer afterwards',
    widthsValue: (heads: number, kvHeads: number, ffn: number, average: boolean) =>
      `${average ? 'on average ' : ''}${counted(round(heads), 'attention head', 'attention heads')}${heads === kvHeads ? '' : ` in ${counted(round(kvHeads), 'group', 'groups')}`}, feed-forward width ${formatCount(Math.round(ffn))}`,
    opensIn: 'Opens in',
    opens: 'opens',
    opensNot: 'does not open',
    computing: 'Computing the exact size…',
  },
  locks: {
    title: 'Advanced: parts to keep whole',
    count: (count: number) => `– ${counted(count, 'part', 'parts')} kept`,
    lead: 'You need none of this: Shear finds out by itself what matters. If you know better, lock parts of layers, and they lose nothing.',
    keys: 'A square is one part of one layer. The arrow keys move between squares; Space locks one and opens it again.',
    cell: (part: 'attention' | 'mlp', layer: number, parameters: number, isBound: boolean) =>
      `${part === 'attention' ? 'Attention' : 'Feed-forward'} of layer ${layer + 1}: ${formatRounded(parameters)} parameters${isBound ? '; stays whole because of another lock' : ''}`,
    all: { attention: 'All attention', mlp: 'All feed-forward' },
    ends: 'First and last layer',
    none: 'Unlock all',
    nothing: 'Nothing is locked.',
    kept: (share: number) => `${formatPercent(share)} of the layers’ parameters cannot go.`,
    rest: (removed: number, restLoses: number) =>
      `To remove ${formatPercent(removed)} in all, the unlocked parts lose ${formatPercent(restLoses)}${restLoses > 0.5 ? ': more than half of them' : ''}.`,
    everywhere:
      'In the shape “Opens everywhere” all layers end with the same widths. So what you lock in one layer stays whole in all of them (dashed). Choose “Best quality” to lock single layers.',
    part: (part: 'attention' | 'mlp', layers: number, all: number, parameters: string) =>
      `${part === 'attention' ? 'Attention' : 'Feed-forward'} stays whole in ${layers === all ? `all ${counted(all, 'layer', 'layers')}` : `${formatCount(layers)} of ${counted(all, 'layer', 'layers')}`}: ${parameters} parameters.`,
  },
  texts: {
    lead: 'Give texts like those that the model shall stay good at. Shear trains the smaller model on them and measures what it knows.',
    dropTitle: 'Drop texts here',
    dropHint: 'Plain text, JSON, CSV or Parquet tables, or token ids. They stay on this computer.',
    pick: 'Choose texts…',
    starters: 'Texts that come with Shear',
    licence: (licence: string) => `Licence: ${licence}`,
    list: 'Your texts',
    none: 'No texts yet. Drop some, or tick texts that come with Shear.',
    reading: 'Reading…',
    facts: ({ format, documents, tokens, tokensExact, languages }: TextPreview) =>
      [
        format,
        counted(documents, 'document', 'documents'),
        `${tokensExact ? '' : 'about '}${counted(tokens, 'token', 'tokens')}`,
        ...(languages.length === 0 ? [] : [languages.map(({ code, share }) => `${languageName(code)}${share > 0.95 ? '' : ` ${formatWholePercent(share)}`}`).join(', ')]),
      ].join(' · '),
    drawn: ({ share, tokens, passes }: Drawn) =>
      `${formatWholePercent(share)} of the training at first: about ${counted(roundedTo2(tokens), 'token', 'tokens')}, ${passes < 0.95 ? `${formatWholePercent(passes)} of this text` : passes < 1.05 ? 'this text once' : `this text ${formatTimes(passes)} times`}.`,
    badRows: (count: number) => `${counted(count, 'row', 'rows')} cannot be used and ${count === 1 ? 'is' : 'are'} left out`,
    badRow: (row: number, reason: string) => `Row ${formatCount(row)} ${reason}`,
    moreBadRows: (count: number) => `And ${counted(count, 'row', 'rows')} more.`,
    columns: {
      title: 'Which columns hold the text?',
      kind: 'The rows hold',
      kinds: { found: 'what Shear found', text: 'text to read', questions: 'questions and answers', messages: 'conversations' },
      parts: { text: 'Text', question: 'Question', answer: 'Answer', context: 'What belongs to the question', messages: 'Conversation' },
      unknown: 'Choose what they hold…',
      choose: 'Choose a column…',
      none: 'Nothing',
    },
    preview: 'What the model will see',
    previewOf: (name: string) => `What the model will see of ${name}`,
    weight: 'Weight',
    weightOf: (name: string) => `Weight of ${name}; 0 leaves it out`,
    off: 'left out',
    stage: 'Kind',
    stages: { pretraining: 'Text to read', instruction: 'Questions and answers' },
    remove: (name: string) => `Remove ${name}`,
    removed: (name: string) => `“${name}” is removed from the list.`,
    total: (sources: number, tokens: number) => `${counted(sources, 'text', 'texts')} in use, ${counted(tokens, 'token', 'tokens')} in all.`,
    few: 'That is little. A hundred thousand tokens (about 75,000 words) or more give a better model.',
    needed: 'At least one text is needed to go on.',
    unusable: (names: readonly string[]) =>
      `${names.map((name) => `“${name}”`).join(', ')} cannot be used: the list below says why. Remove ${names.length === 1 ? 'it' : 'them'}, or set the weight to 0, to go on.`,
  },
  check: {
    lead: 'Nothing has been changed yet. Look over what the run will take, then start it.',
    effort: 'Training effort',
    efforts: { quick: 'Quick', normal: 'Normal', thorough: 'Thorough' },
    effortHints: { quick: 'a part of the texts, for a first look', normal: 'each text about once', thorough: 'each text about three times' },
    out: 'Folder for the result',
    change: 'Change…',
    takes: 'What it takes',
    time: 'Time',
    timeValue: (seconds: number) => capital(formatDuration(seconds)),
    training: (tokens: number) => `Trains on ${counted(tokens, 'token', 'tokens')}.`,
    memory: 'Memory',
    disk: 'Disk',
    needs: (needed: number, available: number) => `needs ${formatBytes(needed)} of ${formatBytes(available)} available`,
    estimating: 'Measuring how fast this computer is…',
    perStage: 'Time for each stage',
    advanced: 'More settings',
    exports: 'File types to write',
    exportName: exportName,
    exportHints: { safetensors: 'for Python programs, vLLM', gguf: 'for LM Studio, Ollama, llama.cpp', onnx: 'for programs with ONNX Runtime' },
    rank: 'LoRA rank',
    rankHint: 'How much the training can change. 8 is usual.',
    rate: 'Learning rate',
    rateHint: 'How large each training step is.',
    batch: 'Batch',
    batchHint: 'Pieces of text in one training step. Fewer take less memory.',
    length: 'Text length',
    lengthHint: 'Tokens in one piece of text. Shorter ones take less memory.',
    seed: 'Seed',
    seedHint: 'The same seed, model and texts give the same result.',
    compensation: 'After removing',
    compensations: { none: 'Train only', refit: 'Refit, then train' },
    compensationHints: {
      none: 'The usual way.',
      refit: 'First computes the weights beside the removed parts anew, so that each layer answers much as before. Takes longer.',
    },
    precision: 'Arithmetic',
    precisions: { fastest: 'Fastest', exact: 'Exact' },
    precisionHints: {
      fastest: 'Parts of the training use 8 bits where a short trial on this computer finds that right and worthwhile.',
      exact: 'Everything in 32 bits. Slower; for comparing runs between computers.',
    },
    prompts: 'Openings to compare',
    promptsHint: 'One per line. Both models continue them, so that you can read the difference.',
    start: 'Start the run',
    starting: 'Starting…',
  },
  run: {
    loading: 'Reading the run…',
    progress: 'Progress of the whole run',
    left: (seconds: number) => `${capital(formatDuration(seconds))} left`,
    leftUnknown: 'The time left is being measured',
    elapsed: (time: string) => `${time} so far`,
    took: (time: string) => `took ${time}`,
    step: (done: number, total: number) => `${formatCount(done)} of ${formatCount(total)}`,
    cancel: 'Cancel the run…',
    cancelling: 'Stopping after the current step…',
    cancelTitle: 'Cancel this run?',
    cancelBody: 'What is done stays saved. You can continue the run later from Home, where it was stopped.',
    cancelYes: 'Cancel the run',
    cancelNo: 'Keep going',
    continue: 'Continue the run',
    change: 'Change the settings',
    see: 'See the result',
    stageList: 'Stages',
    stages: {
      prepare: { name: 'Prepare', about: 'Open the model and the texts', now: 'Preparing the model and the texts.' },
      measure: { name: 'Measure', about: 'How good the full model is on each text', now: 'Measuring the full model.' },
      analyse: { name: 'Find what matters', about: 'Which parts hold which knowledge', now: 'Finding out which parts matter.' },
      prune: { name: 'Remove', about: 'Move knowledge out of the parts that go', now: 'Removing parts.' },
      recover: { name: 'Recover', about: 'Train the smaller model on your texts', now: 'Training the smaller model.' },
      evaluate: { name: 'Compare', about: 'How good the smaller model is', now: 'Comparing the two models.' },
      export: { name: 'Write and check', about: 'Write the files, open them again, compare', now: 'Writing the smaller model and checking it.' },
    },
    stageStates: { done: 'done', now: 'now', waiting: 'waiting', stopped: 'stopped here' },
    states: {
      running: 'The run is going.',
      done: 'The run is done. The smaller model is written and checked.',
      failed: 'The run was stopped by a problem.',
      cancelled: 'The run is cancelled.',
      interrupted: 'The run was interrupted.',
    },
    resumeHint: 'What is done is saved; the run goes on from there.',
    notes: 'What happened',
    lossTitle: 'Training loss',
    lossAxis: 'Loss',
    stepAxis: 'Training step',
    lossSummary: (first: number, last: number, steps: number) =>
      `After ${counted(steps, 'step', 'steps')} the loss is ${formatFigure(last)}; it began at ${formatFigure(first)}. Lower is better.`,
    lossNone: 'Appears when the training begins.',
    pruning: 'While removing',
    recovering: 'While recovering',
    perplexityTitle: 'Perplexity on each text',
    perplexityFull: (texts: number, low: string, lowest: number, high: string, highest: number) =>
      `The full model is measured on ${counted(texts, 'text', 'texts')}, from ${formatFigure(lowest)} on “${low}” to ${formatFigure(highest)} on “${high}”. Lower is better.`,
    perplexityNow: (asGood: number, texts: number, worst: string, full: number, now: number) =>
      asGood === texts
        ? `On ${texts === 1 ? 'the text' : `all ${counted(texts, 'text', 'texts')}`} the smaller model is about as good as the full one, or better. Lower is better.`
        : `On ${formatCount(asGood)} of ${counted(texts, 'text', 'texts')} the smaller model is about as good as the full one, or better. It lost most on “${worst}”: ${formatFigure(full)} before, ${formatFigure(now)} now. Lower is better.`,
    perplexityNone: 'Appears when the full model is measured.',
    phases: { full: 'Full model', pruned: 'After removing', recovered: 'After recovery' },
    mapTitle: 'Knowledge map',
    mapSummary: (place: string, source: string, deviation: number, keptWhole: boolean) =>
      `Removing ${place} would hurt “${source}” most (${formatFigure(deviation)}).` +
      (keptWhole ? ' The parts with the largest numbers are kept whole.' : ''),
    mapNone: 'Appears when the parts are tried out one by one.',
    mapPlace: (part: string, layer: number) => `${part.toLowerCase()} of layer ${layer + 1}`,
    widthsTitle: 'What stays of each layer',
    widthsSummary: (heads: number, ffn: number) =>
      `Over all layers, ${formatWholePercent(heads)} of the attention and ${formatWholePercent(ffn)} of the feed-forward part stay.`,
    widthsNone: 'Appears when the parts to remove are known.',
    locked: { knowledge: 'kept whole', user: 'locked by you' },
    source: 'Text',
    layer: 'Layer',
    attention: 'Attention',
    mlp: 'Feed-forward',
    kept: (now: number, before: number) => `${formatCount(now)} of ${formatCount(before)}`,
  },
  result: {
    loading: 'Reading the result…',
    lead: (removed: number, before: number, after: number) =>
      `${formatPercent(removed)} of the layers’ parameters are gone. The model went from ${formatBytes(before)} to ${formatBytes(after)}.`,
    size: 'Size',
    parameters: 'Parameters',
    speed: 'Speed in tokens per second',
    speedValue: (tokens: number) => `${formatFigure(tokens)} tokens/s`,
    smaller: (share: number) => `${formatWholePercent(Math.abs(share))} ${share >= 0 ? 'less' : 'more'}`,
    faster: (times: number) => `${formatTimes(times)} times as fast`,
    before: 'Before',
    after: 'After',
    perplexity: 'Perplexity on each text',
    tokens: 'Tokens measured',
    samples: 'The two models side by side',
    prompt: 'Opening',
    original: 'Original',
    smallerModel: 'Smaller',
    own: 'Try your own',
    ownHint: 'Both models continue the same opening with the same seed, one after the other.',
    write: 'Let both write',
    stop: 'Stop',
    waiting: 'Waits for its turn…',
    nothing: 'Nothing written yet.',
    length: 'Length in tokens',
    seed: 'Seed',
    removed: 'What was removed',
    files: 'Files',
    check: 'Opened again from disk and compared: its answers agree with the model that was made.',
    show: 'Open folder',
    report: 'Open the report',
    again: 'Export in another file type',
    againButton: 'Choose a folder and export…',
    exporting: 'Writing and checking…',
    fileType: 'File type',
    took: (seconds: number, peak: number) => `The run took ${formatDuration(seconds)} and at most ${formatBytes(peak)} of memory.`,
    another: 'Make another model smaller',
  },
  ...enProgram,
};

/** The texts of a drop, after its model. */
function alsoTexts(count: number): string {
  return count > 0 ? ` and ${counted(count, 'text', 'texts')} for step 3` : '';
}

/** A family as its makers write it; an unknown one as the model names it. */
function familyName(family: string): string {
  const names: Readonly<Record<string, string>> = {
    llama: 'Llama', mistral: 'Mistral', qwen2: 'Qwen2', qwen3: 'Qwen3', phi3: 'Phi-3', gemma2: 'Gemma 2', gemma3: 'Gemma 3',
    olmo: 'OLMo', olmo2: 'OLMo 2', gpt2: 'GPT-2', 'gpt-neox': 'GPT-NeoX',
  };
  return names[family] ?? family;
}

/** Words for a file type. */
function exportName(target: { readonly format: string; readonly dtype: string }): string {
  const names: Readonly<Record<string, string>> = { gguf: 'GGUF', onnx: 'ONNX' };
  return `${names[target.format] ?? 'Safetensors'} ${target.dtype}`;
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
