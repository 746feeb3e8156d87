/**
 * What a family description is: what its blocks are built from, and how it names its tensors and settings in Hugging
 * Face folders and in GGUF files. Everything that differs between families is data here; the code has no cases.
 */
import type { GlobalRole, LayerRole, LinearRole } from '../config';
import type { BlockDesign } from '../design';

/** Several linears of a layer stored as one matrix whose rows are theirs. */
export interface FusedTensor {
  /** Its name, up to `.weight` and `.bias`. */
  readonly name: string;
  readonly roles: readonly LinearRole[];
  /** All rows of the first, then all of the next; or the first's rows of one head, the next's of that head, and so on. */
  readonly order: 'blocks' | 'heads';
}

/** How a file holds the weights of a family. */
export interface TensorNames {
  /** Names by role; `{layer}` stands for the layer number. Roles that the family has not, or fuses, are absent. */
  readonly globals: Readonly<Partial<Record<GlobalRole, string>>>;
  readonly layers: Readonly<Partial<Record<LayerRole, string>>>;
  readonly fused?: readonly FusedTensor[];
  /** Whether linears are stored as [in, out]. */
  readonly transposed?: boolean;
  /** Whether scales of norms are stored less 1. */
  readonly scalesLessOne?: boolean;
}

/** One model family. */
export interface Family {
  /** Stable name, also the `family` of a ModelConfig. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** What its blocks are built from where a model's file says nothing else. */
  readonly design: BlockDesign;
  /** Programs compute the width of its attention from the hidden width, so that none opens a model with fewer heads. */
  readonly keepsHeads: boolean;
  readonly huggingface: {
    /** Value of `architectures` in config.json. */
    readonly architecture: string;
    /** Value of `model_type` in config.json. */
    readonly modelType: string;
    /** Prefix of its Python classes in transformers, the module they are in, its layer's class and where the layers are. */
    readonly pythonClass: string;
    readonly pythonModule: string;
    readonly pythonLayer: string;
    readonly pythonLayers: string;
    /** Where its classes call the output head otherwise than files do in newer versions of transformers; null where they do not. */
    readonly pythonHead: { readonly stored: string; readonly attribute: string } | null;
    readonly names: TensorNames;
    /** Settings that it spells differently, by Llama's name. */
    readonly settings: Readonly<Record<string, string>>;
    /**
     * What transformers assumes where config.json is silent, by Llama's name. A setting that is not in every family
     * (windows, caps, shares of the rotated width) is read, and written, where it stands here; null means "not unless stated".
     */
    readonly defaults: Readonly<Record<string, unknown>>;
    /** How many times as wide as the stream feed-forward is where config.json does not state its width; absent where it must. */
    readonly feedForwardFactor?: number;
    /** Linears that always have a bias. */
    readonly fixedBiases: readonly LinearRole[];
    /** Linears that have a bias when a setting is true, by the setting's name. */
    readonly optionalBiases: Readonly<Record<string, readonly LinearRole[]>>;
    /** transformers refuses a hidden width that is no multiple of the head count, even with `head_dim` given. */
    readonly headsMustDivideHidden: boolean;
  };
  readonly gguf: {
    /** Value of `general.architecture`. */
    readonly architecture: string;
    readonly names: TensorNames;
    /** Row order of q and k: pairs side by side, or first half and second half as in Hugging Face files. */
    readonly rotaryRows: 'interleaved' | 'halfSplit';
    /** Linears whose bias llama.cpp reads under this architecture. */
    readonly biases: readonly LinearRole[];
    /** Whether llama.cpp reads `rope_freqs` under this architecture. */
    readonly readsRopeFactors: boolean;
    /** Whether llama.cpp takes heads that together are narrower than the hidden width (it reads `key_length`). */
    readonly readsHeadDim: boolean;
    /** Every n-th layer sees all positions, the others the stated window; null where llama.cpp knows no window. */
    readonly windowPattern: number | null;
    /** Rotary base of the layers with a window; null where it is that of all layers. */
    readonly localTheta: number | null;
    /** Soft caps of scores and logits that llama.cpp assumes when a file is silent; null where it knows none. */
    readonly caps: { readonly attention: number; readonly logits: number } | null;
    /** Layer count at which llama.cpp scales scores by the hidden width per head instead of the head width; null if none. */
    readonly scaledByHiddenAt: number | null;
    /** Whether files say if attention and feed-forward read the same. */
    readonly statesParallel: boolean;
  };
}

/** What most GGUF architectures have none of: windows, caps, scales and residuals of their own. */
export const PLAIN_GGUF = { windowPattern: null, localTheta: null, caps: null, scaledByHiddenAt: null, statesParallel: false } as const;
