/** English texts about the program itself: settings, help, and the words that it explains. */
import { formatCount } from './format';

/** Parts of the English catalogue. */
export const enProgram = {
  settings: {
    title: 'Settings',
    lead: 'For the whole program. A change takes effect at once; nothing needs to be confirmed.',
    problem: 'Your settings could not be read',
    look: 'Look',
    theme: 'Theme',
    themes: { system: 'System', light: 'Light', dark: 'Dark', contrast: 'High contrast' },
    textSize: 'Size of text and controls',
    usualSize: 'Usual',
    computing: 'Computing',
    threads: 'Processor threads',
    allThreads: (count: number) => `All (${formatCount(count)})`,
    threadsHint: 'With fewer, runs take longer and leave more of the computer to other programs. A run that is going on keeps its number.',
    devices: 'What Shear can compute on',
    looking: 'Trying out what works on this computer…',
    deviceNames: { cpu: 'Processor', webgpu: 'Graphics card' } as Readonly<Record<string, string>>,
    deviceUses: {
      cpu: 'Works. Runs compute on it.',
      webgpu: 'Works, but runs do not use it yet: they compute on the processor.',
    } as Readonly<Record<string, string>>,
    folders: 'Folders',
    folderNames: { resultsFolder: 'Results', runsFolder: 'Runs' },
    folderHints: {
      resultsFolder: 'Suggested for smaller models. You can choose another folder for each run.',
      runsFolder: 'What Shear needs to continue a run and to show its result. Runs in another folder stay there, and appear again when you choose it again.',
    },
    usualFolder: 'Use the usual one',
  },
  help: {
    title: 'Help',
    lead: 'Words explained, and what to hand over when something does not work.',
    glossary: 'Words',
    report: 'Report for someone who helps you',
    reportAbout:
      'Says what computer this is, your settings and how your last runs ended. It contains no texts, and your name and home folder are taken out. Read it and strike out what you like; it goes nowhere unless you save it and pass it on.',
    reportText: 'The report, as it will be saved',
    write: 'Write the report',
    writeAgain: 'Write it anew',
    save: 'Save…',
    saved: (path: string) => `Saved as ${path}.`,
    licences: 'Licences',
    licencesAbout: 'Shear is free software under the Apache License 2.0. It contains work of others, under licences of their own.',
    licencesOfAll: 'Licences of all parts',
    showLicences: 'Show the licences of all parts',
  },
  glossary: {
    pruning: { name: 'Pruning', term: 'pruning', text: 'Removing parts of a model that matter least for what it shall stay good at. This is how Shear makes a model smaller.' },
    recovery: { name: 'Recovery', term: 'recovery', text: 'Training after pruning, on your texts, so that the smaller model learns again what it lost.' },
    attention: { name: 'Attention', term: 'attention', text: 'The part of a layer that looks back at the text so far and picks out what matters for the next word.' },
    feedForward: { name: 'Feed-forward part', term: 'the feed-forward part', text: 'The part of a layer that holds most of what a model has learnt. It works on one token at a time.' },
    checkpoint: { name: 'Weights', term: 'the weights', text: 'All parameters of a model together. They are what a model file holds, and what must fit into memory to run it.' },
    seed: { name: 'Seed', term: 'a seed', text: 'The number from which everything random in a run follows. The same seed gives the same result again.' },
    parameters: { name: 'Parameter', term: 'a parameter', text: 'One of the numbers that a model has learnt. Each takes half a byte to 4 bytes on disk and in memory.' },
    perplexity: {
      name: 'Perplexity', term: 'perplexity',
      text: 'How surprised a model is by a text. 10 means: as unsure as if it chose among 10 words each time. Lower is better.',
    },
    loss: { name: 'Loss', term: 'loss', text: 'The number that training makes smaller: the surprise per token, before it is turned into perplexity.' },
    token: { name: 'Token', term: 'a token', text: 'A piece of text as the model reads it: a word, a part of one, or a sign. 100 tokens are about 75 English words.' },
    layer: { name: 'Layer', term: 'a layer', text: 'Models are stacks of equal blocks. Each has an attention part, which looks back at the text, and a feed-forward part.' },
    heads: { name: 'Attention head', term: 'an attention head', text: 'One of several lookers in a layer, each of which follows another thread of the text.' },
    lora: { name: 'LoRA', term: 'LoRA', text: 'A way to train with little memory: the model stays fixed and small additions are trained, then added in.' },
    knowledge: {
      name: 'Knowledge map', term: 'the knowledge map',
      text: 'Each part is taken out on a trial for a moment, and each text is measured again. The number says how much worse that text gets.',
    },
    gguf: { name: 'File type', term: 'a file type', text: 'Safetensors is what Hugging Face programs read. GGUF is what LM Studio, Ollama and llama.cpp read. ONNX is for programs built on ONNX Runtime.' },
  },
};
