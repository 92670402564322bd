import { elementCount, nearestNames, type LoadedValues, type Model, type ParameterInfo } from "@thaw/contracts";
import type { LayoutCache, Tape, Value } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import {
  parameterReleased,
  parametersChanged,
  parametersMissing,
  parameterMisshaped,
  parameterUnknown,
} from "../errors/parameters.js";
import type { PlannedContext } from "../api/contexts.js";
import { checkFinite } from "./check-finite.js";
import { HashCache, hashValues } from "./fingerprint.js";
import { FrozenForms, type FrozenFormsOptions, type HeldValues } from "./frozen-forms.js";
import { seededRandom } from "../run/random.js";

/** What a store may be told. */
export interface StoreOptions extends FrozenFormsOptions {
  /** Takes a tensor's values over to the device. */
  readonly upload?: (tensor: Tensor) => void;
  /** Told the canonical name of a parameter that has other values now. */
  readonly onReplace?: (name: string) => void;
  /** Canonical names of those whose values a run never needs: they are read and hashed, and not kept. */
  readonly unused?: ReadonlySet<string>;
}

/** All that a model computes with, the plan's parameters first, then its buffers. */
export function storedTensors({
  parameters,
  model,
}: Pick<PlannedContext, "parameters" | "model">): readonly ParameterInfo[] {
  return [...parameters, ...(model.buffers ?? [])];
}

/**
 * The weights and buffers of one trainer: float32 tensors by checkpoint name, or words of what is narrower where
 * {@link FrozenForms} say so; tied names lead to one tensor.
 */
export class ParameterStore {
  readonly #tensors = new Map<string, Tensor>();
  readonly #canonical = new Map<string, string>();
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #layouts: LayoutCache;
  readonly #forms: FrozenForms;
  readonly #upload: (tensor: Tensor) => void;
  readonly #onReplace: (name: string) => void;
  readonly #unused: ReadonlySet<string>;
  /** Gives the values again of what lost bits when it was packed. */
  readonly #originals = new Map<string, () => Promise<Float32Array>>();
  /** Freed until they are needed, with the hash that they had. */
  readonly #released = new Map<string, string>();
  /** The hashes of what is not kept. */
  readonly #notKept = new Map<string, string>();
  /** Names whose values are no longer those that the model gives. */
  readonly #changed = new Set<string>();
  readonly #hashes = new HashCache();
  #model: Model | undefined;

  constructor(
    parameters: readonly ParameterInfo[],
    layouts: LayoutCache,
    { upload = () => undefined, onReplace = () => undefined, unused = new Set(), ...forms }: StoreOptions = {},
  ) {
    this.#layouts = layouts;
    this.#forms = new FrozenForms(forms);
    this.#upload = upload;
    this.#onReplace = onReplace;
    this.#unused = unused;
    for (const { name, shape, tiedNames } of parameters) {
      this.#shapes.set(name, shape);
      for (const alias of [name, ...(tiedNames ?? [])]) this.#canonical.set(alias, name);
    }
  }

  /**
   * Reads the model's values of what {@link storedTensors} lists; those of a parameter with an initializer come from
   * that instead, seeded by name. @throws THAW_CORE_PARAMETERS_MISSING, THAW_CORE_PARAMETER_MISSHAPED,
   * THAW_CORE_PARAMETER_NOT_FINITE and what the model's `load` throws; then
   * nothing is kept
   */
  async load(model: Model, parameters: readonly ParameterInfo[], seed: number): Promise<void> {
    try {
      this.#model = model;
      const own = new Set(storedTensors({ model, parameters: model.parameters }).map(({ name }) => name));
      const stored = parameters
        .filter(({ name, initialize }) => own.has(name) && initialize === undefined)
        .map(({ name }) => name);
      for await (const loaded of model.load(stored)) {
        const { name, file = model.source } = loaded;
        if (this.#unused.has(this.canonical(name)))
          this.#notKept.set(this.canonical(name), hashValues(this.#checked(name, loaded.values, file)));
        else this.#load(model, loaded);
      }
      for (const parameter of parameters) {
        const { name, initialize } = parameter;
        if (initialize === undefined) continue;
        const make = async (): Promise<Float32Array> => initialize(parameter, seededRandom(seed, name));
        this.set(name, await make(), "its initializer", make);
      }
      this.#changed.clear();
      for (const { name, initialize } of parameters) if (initialize !== undefined) this.#changed.add(name);
      const missing = parameters
        .map(({ name }) => name)
        .filter((name) => !this.#tensors.has(name) && !this.#notKept.has(name));
      if (missing.length > 0) throw parametersMissing(missing, model.source);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.#canonical.has(name);
  }

  /** All names, tied ones too. */
  get names(): Iterable<string> {
    return this.#canonical.keys();
  }

  /** @throws THAW_CORE_PARAMETER_UNKNOWN */
  shape(name: string): readonly number[] {
    return this.#shapes.get(this.canonical(name))!;
  }

  /** The name under which a tied parameter is kept. @throws THAW_CORE_PARAMETER_UNKNOWN */
  canonical(name: string): string {
    const canonical = this.#canonical.get(name);
    if (canonical === undefined) throw parameterUnknown(name, nearestNames(name, this.#canonical.keys()));
    return canonical;
  }

  /** The parameter as a value of a tape, in the form in which it is kept. @throws as {@link get} */
  on(tape: Tape, name: string, isTrained: boolean): Value {
    const canonical = this.canonical(name);
    return this.#forms.on(tape, canonical, this.get(canonical), this.#shapes.get(canonical)!, isTrained);
  }

  /**
   * The tensor that holds it, of words where it is narrower than float32. Borrowed: valid until the parameter's next
   * update. @throws THAW_CORE_PARAMETER_UNKNOWN, THAW_CORE_PARAMETER_RELEASED
   */
  get(name: string): Tensor {
    const canonical = this.canonical(name);
    const tensor = this.#tensors.get(canonical);
    if (tensor === undefined && this.#absentHash(canonical) !== undefined) throw parameterReleased(canonical);
    return tensor!;
  }

  /**
   * sha256 of a parameter's values as they are on the device; of one that is not in memory, as they were when it last
   * was. `isFresh`: read now, not remembered by tensor.
   * @throws THAW_CORE_PARAMETER_UNKNOWN
   */
  async hash(name: string, { isFresh = false }: { readonly isFresh?: boolean } = {}): Promise<string> {
    const absent = this.#absentHash(this.canonical(name));
    if (absent !== undefined) return absent;
    return isFresh ? this.#hashes.fresh(this.get(name)) : this.#hashes.hash(this.get(name));
  }

  /**
   * Frees parameters until {@link restore}; those that are not as the model gives them stay. Returns the freed bytes.
   */
  async release(names: Iterable<string>): Promise<number> {
    let bytes = 0;
    for (const name of new Set([...names].map((given) => this.canonical(given)))) {
      const tensor = this.#tensors.get(name);
      if (tensor === undefined || this.#changed.has(name)) continue;
      this.#released.set(name, await this.#hashes.fresh(tensor));
      this.#tensors.delete(name);
      bytes += 4 * tensor.size;
      this.#forget(tensor);
    }
    return bytes;
  }

  /**
   * Reads what was released again. What the model's `load` throws passes through. @throws THAW_CORE_PARAMETERS_CHANGED
   * if the values are others than before
   */
  async restore(): Promise<void> {
    const before = new Map(this.#released);
    if (before.size === 0) return;
    const model = this.#model!;
    for await (const loaded of model.load([...before.keys()])) {
      this.#load(model, loaded);
      this.#changed.delete(this.canonical(loaded.name));
    }
    const changed: string[] = [];
    for (const [name, hash] of before) if ((await this.hash(name, { isFresh: true })) !== hash) changed.push(name);
    if (changed.length > 0) throw parametersChanged(changed, model.source);
  }

  /** Values on the host, a copy; of a rounded parameter as they were given. @throws THAW_CORE_PARAMETER_UNKNOWN */
  async read(name: string): Promise<Float32Array> {
    const canonical = this.canonical(name);
    if (this.#absentHash(canonical) !== undefined) return loadOne(this.#model!, canonical);
    const original = this.#originals.get(canonical);
    if (original !== undefined) return original();
    return this.#forms.read(canonical, this.get(canonical));
  }

  /**
   * Replaces a parameter by host values from `source`; `again` gives them once more if bits are lost, where that
   * costs less than keeping them.
   * @throws THAW_CORE_PARAMETER_MISSHAPED, THAW_CORE_PARAMETER_NOT_FINITE, THAW_CORE_PARAMETER_UNKNOWN
   */
  set(
    name: string,
    values: Float32Array,
    source: string,
    again: () => Promise<Float32Array> = async () => values.slice(),
  ): void {
    const canonical = this.canonical(name);
    const shape = this.#shapes.get(canonical)!;
    this.#checked(name, values, source);
    this.#take(canonical, this.#forms.hold(canonical, values, shape), again);
  }

  /** What the model gives, as it stores it where it may stay so. */
  #load(model: Model, loaded: LoadedValues): void {
    const { name, file = model.source } = loaded;
    const [canonical, again] = [this.canonical(name), () => loadOne(model, name)];
    if (this.#forms.takesQuantized(canonical, loaded))
      this.#take(canonical, this.#forms.holdQuantized(canonical, loaded.quantized!, file), again);
    else this.set(name, loaded.values, file, again);
  }

  /** The hash of what is not in memory; undefined of what is. */
  #absentHash(canonical: string): string | undefined {
    return this.#released.get(canonical) ?? this.#notKept.get(canonical);
  }

  #checked(name: string, values: Float32Array, source: string): Float32Array {
    const shape = this.#shapes.get(this.canonical(name))!;
    if (values.length !== elementCount(shape)) throw parameterMisshaped(this.canonical(name), shape, values.length);
    checkFinite(name, values, source);
    return values;
  }

  /** Values from the host: uploaded one by one, no more than one parameter is there twice. */
  #take(name: string, { tensor, isExact }: HeldValues, again: () => Promise<Float32Array>): void {
    if (isExact) this.#originals.delete(name);
    else this.#originals.set(name, again);
    this.#upload(tensor);
    this.replace(name, tensor);
  }

  /** Takes ownership of `tensor` and frees the old one with its layout copy. */
  replace(name: string, tensor: Tensor): void {
    const canonical = this.canonical(name);
    const before = this.#tensors.get(canonical);
    this.#released.delete(canonical);
    this.#notKept.delete(canonical);
    this.#changed.add(canonical);
    this.#tensors.set(canonical, tf.keep(tensor));
    if (before === undefined || before === tensor) return;
    this.#onReplace(canonical);
    this.#forget(before);
  }

  /** Frees everything. */
  dispose(): void {
    for (const tensor of this.#tensors.values()) this.#forget(tensor);
    this.#tensors.clear();
    this.#released.clear();
    this.#notKept.clear();
    this.#originals.clear();
  }

  #forget(tensor: Tensor): void {
    this.#layouts.forget(tensor);
    this.#forms.forget(tensor);
    tensor.dispose();
  }
}

async function loadOne(model: Model, name: string): Promise<Float32Array> {
  for await (const { values } of model.load([name])) return values;
  throw parametersMissing([name], model.source);
}
