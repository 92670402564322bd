import {
  type Bfloat16Products,
  dequantize,
  firstBadScale,
  type FrozenForm,
  packBfloat16,
  quantize,
  type QuantizedLayout,
  type QuantizedValues,
  type Tape,
  unpackBfloat16,
  type Value,
} from "@thaw/autograd";
import type { LoadedValues } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { parameterNotFinite } from "../errors/parameters.js";

/** Which parameters are kept otherwise than in float32, by canonical name. */
export interface FrozenFormsOptions {
  /** In bfloat16, with what computes with that. */
  readonly packing?: { readonly products: Bfloat16Products; readonly names: ReadonlySet<string> };
  /** In 4 or 8 bits: as the checkpoint stores them, and else in `form`. */
  readonly quantizing?: { readonly form?: FrozenForm | undefined; readonly names: ReadonlySet<string> };
}

/** Values in the form in which they are kept. */
export interface HeldValues {
  readonly tensor: Tensor;
  /** Nothing was rounded. */
  readonly isExact: boolean;
}

/** How frozen parameters are kept on the device: float32, bfloat16, 8 bits or 4. */
export class FrozenForms {
  readonly #packing: FrozenFormsOptions["packing"];
  readonly #quantizing: FrozenFormsOptions["quantizing"];
  readonly #layouts = new Map<string, QuantizedLayout>();

  constructor({ packing, quantizing }: FrozenFormsOptions) {
    this.#packing = packing;
    this.#quantizing = quantizing;
  }

  /** Whether these values are taken as they are stored: what they stand for need not be made. */
  takesQuantized(name: string, { quantized }: Pick<LoadedValues, "quantized">): boolean {
    return quantized !== undefined && this.#quantizing?.names.has(name) === true;
  }

  /** As the checkpoint stores them. @throws THAW_CORE_PARAMETER_NOT_FINITE */
  holdQuantized(name: string, { words, layout }: QuantizedValues, source: string): HeldValues {
    const block = firstBadScale({ words, layout });
    if (block >= 0) throw parameterNotFinite(name, block * layout.block, NaN, source);
    this.#layouts.set(name, layout);
    return { tensor: tf.tensor1d(words, "float32"), isExact: true };
  }

  /** Values of that shape, in the parameter's form. */
  hold(name: string, values: Float32Array, shape: readonly number[]): HeldValues {
    const form = this.#quantizing?.names.has(name) === true ? this.#quantizing.form : undefined;
    if (form !== undefined) {
      const { words, layout } = quantize(form, values, shape as readonly [number, number]);
      this.#layouts.set(name, layout);
      return { tensor: tf.tensor1d(words, "float32"), isExact: false };
    }
    this.#layouts.delete(name);
    if (this.#packing?.names.has(name) !== true)
      return { tensor: tf.tensor(values, [...shape], "float32"), isExact: true };
    const { words, isExact } = packBfloat16(values);
    return { tensor: tf.tensor(words, [shape[0]!, shape[1]! / 2], "float32"), isExact };
  }

  /** The parameter that the tensor holds as a value of a tape. */
  on(tape: Tape, name: string, tensor: Tensor, shape: readonly number[], isTrained: boolean): Value {
    const layout = this.#layouts.get(name);
    if (layout !== undefined) return tape.quantizedParameter({ words: tensor, layout });
    return this.#packing?.names.has(name) === true
      ? tape.packedParameter({ words: tensor, shape: shape as [number, number] }, this.#packing.products)
      : tape.parameter(tensor, isTrained);
  }

  /** The numbers that a tensor holds, a copy. */
  async read(name: string, tensor: Tensor): Promise<Float32Array> {
    const words = await tensor.data<"float32">();
    const layout = this.#layouts.get(name);
    if (layout !== undefined) return dequantize({ words: words as Float32Array<ArrayBuffer>, layout });
    return this.#packing?.names.has(name) === true ? unpackBfloat16(words) : words.slice();
  }

  /** Lets go of what is kept for a tensor, before it is freed. */
  forget(tensor: Tensor): void {
    this.#packing?.products.forget(tensor);
  }
}
