/**
 * What a family description is: how one model family names its tensors and settings in Hugging Face folders and in
 * GGUF files. Everything that differs between families is data here; the code that reads and writes has no cases.
 */
import type { GlobalRole, LayerRole, LinearRole } from '../config';

/** Tensor names by role; `{layer}` stands for the layer number. */
export interface TensorNames {
  readonly globals: Readonly<Record<GlobalRole, string>>;
  readonly layers: Readonly<Record<LayerRole, string>>;
}

/** One model family. */
export interface Family {
  /** Stable name, also the `family` of a ModelConfig. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly huggingface: {
    /** Value of `architectures` in config.json. */
    readonly architecture: string;
    /** Value of `model_type` in config.json. */
    readonly modelType: string;
    /** Prefix of its Python classes in transformers, and the module they are in. */
    readonly pythonClass: string;
    readonly pythonModule: string;
    readonly names: TensorNames;
    /** Linears that always have a bias. */
    readonly fixedBiases: readonly LinearRole[];
    /** Linears that have a bias when a setting is true, by the setting's name. */
    readonly optionalBiases: Readonly<Record<string, readonly LinearRole[]>>;
    /** transformers refuses a hidden width that is no multiple of the head count, even with `head_dim` given. */
    readonly headsMustDivideHidden: boolean;
    /** Setting that switches the sliding window on; null where the width alone does. */
    readonly slidingWindowSwitch: string | null;
    /** The window that transformers assumes when config.json is silent; null if the family has none at all. */
    readonly slidingWindowDefault: number | null;
    /** `rope_theta` and `tie_word_embeddings` when config.json is silent (transformers' defaults). */
    readonly defaultRopeTheta: number;
    readonly defaultTied: boolean;
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
  };
}
