import { float32Bytes, type ParameterInfo, type Segment } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";

/** Of a segment's parameters, what its kept tensors may take. */
const SHARE = 1 / 16;

interface Entry {
  readonly tensors: readonly Tensor[];
  readonly bytes: number;
}

/**
 * Tensors that frozen segments made of their parameters alone, kept between passes: see `Scope.kept`. Limited in bytes,
 * least recently used go first.
 */
export class KeptTensors {
  readonly #segments: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #limits: ReadonlyMap<string, number>;
  /** By segment, least recently used first. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  #trained: ReadonlySet<string> = new Set();

  constructor(segments: readonly Segment[], parameters: readonly ParameterInfo[]) {
    const names = new Map(
      parameters.flatMap(({ name, tiedNames = [] }) => [name, ...tiedNames].map((alias) => [alias, name] as const)),
    );
    const bytes = new Map(parameters.map(({ name, shape }) => [name, float32Bytes(shape)]));
    this.#segments = new Map(
      segments.map(({ name, parameters: own }) => [
        name,
        new Set(own.map((parameter) => names.get(parameter) ?? parameter)),
      ]),
    );
    this.#limits = new Map(
      [...this.#segments].map(([name, own]) => [
        name,
        SHARE * [...own].reduce((sum, parameter) => sum + (bytes.get(parameter) ?? 0), 0),
      ]),
    );
  }

  get bytes(): number {
    return [...this.#entries.values()]
      .flatMap((entries) => [...entries.values()])
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Another phase of the plan: nothing of before is kept. */
  enter(trained: ReadonlySet<string>): void {
    this.dispose();
    this.#trained = trained;
  }

  /**
   * What is kept under the key, or what `make` hands over; undefined if something of the segment trains. Borrowed until
   * {@link endPass}.
   */
  get(segment: string, key: string, make: () => readonly Tensor[]): readonly Tensor[] | undefined {
    const own = this.#segments.get(segment);
    if (own === undefined || [...own].some((name) => this.#trained.has(name))) return undefined;
    const entries = this.#entries.get(segment) ?? new Map<string, Entry>();
    this.#entries.set(segment, entries);
    const known = entries.get(key);
    entries.delete(key);
    const entry = known ?? entryOf(make());
    entries.set(key, entry);
    return entry.tensors;
  }

  /** A parameter has other values now. */
  forget(parameter: string): void {
    for (const [segment, entries] of this.#entries) {
      if (this.#segments.get(segment)!.has(parameter)) this.#drop(segment, entries);
    }
  }

  /** Frees what is over the limit; called when nothing is borrowed. */
  endPass(): void {
    for (const [segment, entries] of this.#entries) {
      let bytes = [...entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
      for (const [key, entry] of entries) {
        if (bytes <= this.#limits.get(segment)!) break;
        entries.delete(key);
        bytes -= entry.bytes;
        free(entry);
      }
    }
  }

  /** Frees all; it stays usable. */
  dispose(): void {
    for (const [segment, entries] of this.#entries) this.#drop(segment, entries);
  }

  #drop(segment: string, entries: ReadonlyMap<string, Entry>): void {
    this.#entries.delete(segment);
    for (const entry of entries.values()) free(entry);
  }
}

function entryOf(tensors: readonly Tensor[]): Entry {
  return { tensors, bytes: tensors.reduce((sum, { size }) => sum + 4 * size, 0) };
}

function free({ tensors }: Entry): void {
  for (const tensor of tensors) tensor.dispose();
}
