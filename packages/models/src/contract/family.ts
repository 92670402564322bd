import type {
  ComponentDeclaration,
  GenerationOptions,
  LoadedBatch,
  Model,
  ModelOutput,
  Scope,
  Segment,
} from "@thaw/contracts";
import type { Processor } from "@thaw/data";
import type { ConfigReader } from "../reading/config-reader.js";

/** Runs of whole dot-segments in the names of what files of all types may hold although it is computed anew. */
export const COMPUTED_NAMES: readonly string[] = ["position_ids", "inv_freq"];

/** Who owns which parameters of a model type: enough to plan and check a checkpoint from its headers. */
export interface OwnerTable {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** Longest prefix of whole dot-segments wins. */
  readonly components: readonly ComponentDeclaration[];
  /**
   * Runs of whole dot-segments: a stored name that contains one is not a parameter (`rotary_emb.inv_freq`,
   * `position_ids`).
   */
  readonly ignoredNames: readonly string[];
  /** See `Model.moduleNames`. Absent: modules are named as parameters are. */
  readonly moduleNames?: Model["moduleNames"];
}

/** What fills a parameter when the model starts from nothing; see `initialValues`. */
export type ParameterRole = "linear" | "residual" | "bias" | "norm" | "embedding";

/** Makes initial values where no role does: float32, row-major. `random` is uniform in [0, 1) and seeded by name. */
export type InitialValues = (shape: readonly number[], random: () => number) => Float32Array;

/** A parameter or buffer that the config asks for. */
export interface ParameterSpec {
  /** As the checkpoint spells it. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole | InitialValues;
  /** Inputs summed into one output, for the initial deviation; without it the last dimension. */
  readonly fanIn?: number;
  /** Other names of the same parameter (`lm_head.weight` of tied embeddings), which a file may hold too. */
  readonly tiedNames?: readonly string[];
  /** See `ParameterInfo.isLinear`. */
  readonly isLinear?: boolean;
  /** True if it is stored and never trained; see `Model.buffers`. */
  readonly isBuffer?: boolean;
}

/**
 * What a family is given to read: configs, and the names in the weights (empty where the model starts from nothing).
 */
export interface CheckpointHeader {
  readonly config: ConfigReader;
  readonly generationConfig: ConfigReader;
  readonly storedNames: ReadonlySet<string>;
  readonly storedShapes: ReadonlyMap<string, readonly number[]>;
}

/** A model of a family with its sizes known: no weights. Functions read weights from the scope alone. */
export interface Architecture {
  /** Buffers too. */
  readonly parameters: readonly ParameterSpec[];
  /** In data-flow order. */
  readonly segments: readonly Segment[];
  /** Parameters without a path to the loss. */
  readonly deadParameters: readonly string[];
  /** Stored names that belong to nothing in a model of these sizes: a layer behind the last one. Default: none. */
  readonly ignores?: (name: string) => boolean;
  readonly text: Model["text"];
  /** See `Model.forward`. */
  forward(batch: LoadedBatch, scope: Scope): ModelOutput;
  /** See `Model.generate`. */
  generate(batch: LoadedBatch, scope: Scope, options: GenerationOptions): Promise<number[][]>;
}

/**
 * A model type that Thaw runs, by `defineFamily`: a folder with towers, connectors and a decoder to compose it of.
 * A plugin provides its own as `families`.
 */
export interface Family extends OwnerTable {
  /** Reads sizes and names. @throws THAW_CHECKPOINT_CONFIG for values that it does not support */
  describe(header: CheckpointHeader): Architecture;
  /** Makes the processor of a checkpoint folder: pixels, placeholders, ids. @throws THAW_DATA_*, THAW_CHECKPOINT_* */
  readonly processor?: (folder: string) => Promise<Processor>;
}
