import type { LayoutCache } from "@thaw/autograd";
import type { Model, ParameterInfo } from "@thaw/contracts";
import { nearestNames } from "@thaw/safetensors";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { parametersMissing, parameterMisshaped, parameterUnknown } from "../errors.js";
import { seededRandom } from "./random.js";

/** The weights of one trainer: plain float32 tensors by checkpoint name, tied names leading to one tensor. */
export class ParameterStore {
  readonly #tensors = new Map<string, Tensor>();
  readonly #canonical = new Map<string, string>();
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #layouts: LayoutCache;

  constructor(parameters: readonly ParameterInfo[], layouts: LayoutCache) {
    this.#layouts = layouts;
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
      for await (const { name, values } of model.load(stored)) this.set(name, values);
      for (const parameter of parameters) {
        if (parameter.initialize !== undefined) this.set(parameter.name, await parameter.initialize(parameter, seededRandom(seed, parameter.name)));
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

  /** Borrowed: valid until the parameter's next update. @throws THAW_CORE_PARAMETER_UNKNOWN */
  get(name: string): Tensor {
    return this.#tensors.get(this.canonical(name))!;
  }

  /** Values on the host, a copy. @throws THAW_CORE_PARAMETER_UNKNOWN */
  async read(name: string): Promise<Float32Array> {
    return (await this.get(name).data<"float32">()).slice();
  }

  /** Replaces a parameter by host values. @throws THAW_CORE_PARAMETER_MISSHAPED, THAW_CORE_PARAMETER_UNKNOWN */
  set(name: string, values: Float32Array): void {
    const canonical = this.canonical(name);
    const shape = this.#shapes.get(canonical)!;
    const size = shape.reduce((product, length) => product * length, 1);
    if (values.length !== size) throw parameterMisshaped(canonical, shape, values.length);
    this.replace(canonical, tf.tensor(values, [...shape], "float32"));
  }

  /** Takes ownership of `tensor` and frees the old one with its layout copy. */
  replace(name: string, tensor: Tensor): void {
    const canonical = this.canonical(name);
    const before = this.#tensors.get(canonical);
    this.#tensors.set(canonical, tf.keep(tensor));
    if (before === undefined || before === tensor) return;
    this.#layouts.forget(before);
    before.dispose();
  }

  /** Frees everything. */
  dispose(): void {
    for (const tensor of this.#tensors.values()) {
      this.#layouts.forget(tensor);
      tensor.dispose();
    }
    this.#tensors.clear();
  }
}
