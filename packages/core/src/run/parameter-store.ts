import { type Bfloat16Products, type LayoutCache, packBfloat16, type PackedMatrix, unpackBfloat16 } from "@thaw/autograd";
import type { Model, ParameterInfo } from "@thaw/contracts";
import { nearestNames } from "@thaw/safetensors";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { parametersMissing, parameterMisshaped, parameterUnknown } from "../errors.js";
import { seededRandom } from "./random.js";

/** What is kept in bfloat16, and what computes with it. */
export interface Packing {
  readonly products: Bfloat16Products;
  readonly names: ReadonlySet<string>;
}

/** The weights of one trainer: float32 tensors by checkpoint name, or words of bfloat16 where {@link Packing} says so; tied names lead to one tensor. */
export class ParameterStore {
  readonly #tensors = new Map<string, Tensor>();
  readonly #canonical = new Map<string, string>();
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #layouts: LayoutCache;
  readonly #packing: Packing | undefined;
  readonly #upload: (tensor: Tensor) => void;
  /** Gives the values again of what lost bits when it was packed. */
  readonly #originals = new Map<string, () => Promise<Float32Array>>();

  constructor(parameters: readonly ParameterInfo[], layouts: LayoutCache, { packing, upload = () => undefined }: { readonly packing?: Packing; readonly upload?: (tensor: Tensor) => void } = {}) {
    this.#layouts = layouts;
    this.#packing = packing;
    this.#upload = upload;
    for (const { name, shape, tiedNames } of parameters) {
      this.#shapes.set(name, shape);
      for (const alias of [name, ...(tiedNames ?? [])]) this.#canonical.set(alias, name);
    }
  }

  /**
   * Reads the model's values; those of a parameter with an initializer come from that instead, seeded by name.
   * @throws THAW_CORE_PARAMETERS_MISSING, THAW_CORE_PARAMETER_MISSHAPED and what the model's `load` throws; then nothing is kept
   */
  async load(model: Model, parameters: readonly ParameterInfo[], seed: number): Promise<void> {
    try {
      const own = new Set(model.parameters.map(({ name }) => name));
      const stored = parameters.filter(({ name, initialize }) => own.has(name) && initialize === undefined).map(({ name }) => name);
      for await (const { name, values } of model.load(stored)) this.set(name, values, () => loadOne(model, name));
      for (const parameter of parameters) {
        const { name, initialize } = parameter;
        if (initialize === undefined) continue;
        const make = async (): Promise<Float32Array> => initialize(parameter, seededRandom(seed, name));
        this.set(name, await make(), make);
      }
      const missing = parameters.map(({ name }) => name).filter((name) => !this.#tensors.has(name));
      if (missing.length > 0) throw parametersMissing(missing, model.source);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.#canonical.has(name);
  }

  /** The name under which a tied parameter is kept. @throws THAW_CORE_PARAMETER_UNKNOWN */
  canonical(name: string): string {
    const canonical = this.#canonical.get(name);
    if (canonical === undefined) throw parameterUnknown(name, nearestNames(name, this.#canonical.keys()));
    return canonical;
  }

  /** The parameter as a matrix in bfloat16, with what multiplies it; undefined where it is float32. @throws THAW_CORE_PARAMETER_UNKNOWN */
  packed(name: string): { readonly matrix: PackedMatrix; readonly products: Bfloat16Products } | undefined {
    const canonical = this.canonical(name);
    if (this.#packing?.names.has(canonical) !== true) return undefined;
    return { matrix: { words: this.get(canonical), shape: this.#shapes.get(canonical) as [number, number] }, products: this.#packing.products };
  }

  /** The tensor that holds it, of words where it is packed. Borrowed: valid until the parameter's next update. @throws THAW_CORE_PARAMETER_UNKNOWN */
  get(name: string): Tensor {
    return this.#tensors.get(this.canonical(name))!;
  }

  /** Values on the host, a copy; those of a packed parameter as they were given. @throws THAW_CORE_PARAMETER_UNKNOWN */
  async read(name: string): Promise<Float32Array> {
    const canonical = this.canonical(name);
    const original = this.#originals.get(canonical);
    if (original !== undefined) return original();
    const values = await this.get(canonical).data<"float32">();
    return this.#packing?.names.has(canonical) === true ? unpackBfloat16(values) : values.slice();
  }

  /** Replaces a parameter by host values; `again` gives them once more if packing loses bits, where that costs less than keeping them. @throws THAW_CORE_PARAMETER_MISSHAPED, THAW_CORE_PARAMETER_UNKNOWN */
  set(name: string, values: Float32Array, again: () => Promise<Float32Array> = async () => values.slice()): void {
    const canonical = this.canonical(name);
    const shape = this.#shapes.get(canonical)!;
    const size = shape.reduce((product, length) => product * length, 1);
    if (values.length !== size) throw parameterMisshaped(canonical, shape, values.length);
    if (this.#packing?.names.has(canonical) !== true) {
      this.#take(canonical, tf.tensor(values, [...shape], "float32"));
      return;
    }
    const { words, isExact } = packBfloat16(values);
    if (isExact) this.#originals.delete(canonical);
    else this.#originals.set(canonical, again);
    this.#take(canonical, tf.tensor(words, [shape[0]!, shape[1]! / 2], "float32"));
  }

  /** Values from the host: uploaded one by one, no more than one parameter is there twice. */
  #take(name: string, tensor: Tensor): void {
    this.#upload(tensor);
    this.replace(name, tensor);
  }

  /** Takes ownership of `tensor` and frees the old one with its layout copy. */
  replace(name: string, tensor: Tensor): void {
    const canonical = this.canonical(name);
    const before = this.#tensors.get(canonical);
    this.#tensors.set(canonical, tf.keep(tensor));
    if (before === undefined || before === tensor) return;
    this.#forget(before);
  }

  /** Frees everything. */
  dispose(): void {
    for (const tensor of this.#tensors.values()) this.#forget(tensor);
    this.#tensors.clear();
    this.#originals.clear();
  }

  #forget(tensor: Tensor): void {
    this.#layouts.forget(tensor);
    this.#packing?.products.forget(tensor);
    tensor.dispose();
  }
}

async function loadOne(model: Model, name: string): Promise<Float32Array> {
  for await (const { values } of model.load([name])) return values;
  throw parametersMissing([name], model.source);
}
