import type { Sample } from "./sample.js";
import type { Provided } from "./provides.js";

/** What a format needs to know of the run. */
export interface FormatContext {
  /** Relative paths and packages resolve from here: the config file's folder. */
  readonly baseFolder: string;
  readonly role: "train" | "evaluation";
  /** What the model is asked for each image where the data set does not say. */
  readonly captionPrompt: string;
}

/** Samples of a data set by their number, read when they are asked for. */
export interface SampleSet {
  /** What messages call it: its file or folder. */
  readonly origin: string;
  readonly count: number;
  /** The sample with that number, from 0. @throws THAW_DATA_* naming the place of the record in its file */
  read(index: number): Promise<Sample>;
  /**
   * Hash of the bytes that the samples `first` to `end - 1` are made of: what a resumed run compares where a set is too
   * large to read all of it. Absent: unknown.
   */
  fingerprint?(first: number, end: number): Promise<string>;
  /** Whether photos are turned upright by their EXIF tag. Default true. */
  readonly exif?: boolean;
  /** Which concepts are left in, by a hash of their names; a tenth is unseen. Default all. */
  readonly concepts?: "seen" | "unseen" | "all";
  /** Closes its files. */
  close?(): Promise<void>;
}

/**
 * A kind of data set: a value of `type` in a config's data section, and how its samples are read. Its schema is without
 * what every data set may have (`augment`, `limit`).
 */
export interface DatasetFormat<Options = unknown> extends Provided<Options> {
  /**
   * The options, as users write them, that read what lies at an absolute path, judged by its first bytes or names;
   * undefined where it is of another format.
   */
  recognises?(path: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Short name for logs and metrics: `test` for `/x/test.jsonl`. */
  nameOf(options: Options): string;
  /** Decodes no item. The caller closes the set. @throws THAW_DATA_* naming file and line */
  open(options: Options, context: FormatContext): Promise<SampleSet>;
}

declare module "./provides.js" {
  interface Provides {
    /** Kinds of data sets. */
    readonly formats?: readonly DatasetFormat[];
  }
}
