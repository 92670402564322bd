import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../kernels/broadcast.js";

/** Numbers of TensorFlow's types (tensorflow/core/framework/types.proto). */
export const [FLOAT32, INT32, UINT8, BFLOAT16] = [1, 3, 4, 14];

/** An attribute of an operation; `type` is a number of the binding. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** What an operation made, by the backend's number for it. */
export interface OpResult {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** What this needs of the backend that `@tensorflow/tfjs-node` registers. */
export interface TensorFlowBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: {
    readonly TF_ATTR_TYPE: number;
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_STRING: number;
    readonly TF_ATTR_SHAPE: number;
    executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): OpResult[];
    deleteTensor(id: number): void;
  };
  readonly tensorMap: { set(dataId: object, entry: object): void };
  getInputTensorIds(tensors: readonly Tensor[]): number[];
  createOutputTensor(result: OpResult): Tensor;
}

/** TensorFlow's operations by name, on tensors of types that TensorFlow.js has not got, known by number. */
export class Operations {
  readonly backend: TensorFlowBackend;

  constructor(backend: TensorFlowBackend) {
    this.backend = backend;
  }

  run(name: string, attributes: readonly OpAttribute[], inputs: readonly number[]): OpResult {
    return this.backend.binding.executeOp(name, attributes, inputs, 1)[0] as OpResult;
  }

  type(name: string, value: number | readonly number[]): OpAttribute {
    return { name, type: this.backend.binding.TF_ATTR_TYPE, value };
  }

  flag(name: string, value: boolean): OpAttribute {
    return { name, type: this.backend.binding.TF_ATTR_BOOL, value };
  }

  cast(id: number, from: number, to: number): OpResult {
    return this.run("Cast", [this.type("SrcT", from), this.type("DstT", to), this.flag("Truncate", false)], [id]);
  }

  /** The same bits as another type; where its numbers are of another length, the last axis is cut or joined. */
  bitcast(id: number, from: number, to: number): OpResult {
    return this.run("Bitcast", [this.type("T", from), this.type("type", to)], [id]);
  }

  reshape(id: number, type: number, shape: readonly number[]): OpResult {
    const size = tf.tensor1d([...shape], "int32");
    const result = this.run("Reshape", [this.type("T", type), this.type("Tshape", INT32)], [id, ...this.idsOf(size)]);
    size.dispose();
    return result;
  }

  idsOf(...tensors: readonly Tensor[]): number[] {
    return this.backend.getInputTensorIds(tensors);
  }

  /** A float32 result as a tensor, which belongs to the tidy around. */
  tensor(result: OpResult): Tensor {
    return this.backend.createOutputTensor(result);
  }

  /** A bfloat16 result as a tensor of the engine, which belongs to the tidy around. */
  adopt(result: OpResult): Tensor {
    return wordsOfBfloat16(this.backend, result);
  }

  delete(...ids: readonly number[]): void {
    for (const id of ids) this.backend.binding.deleteTensor(id);
  }
}

/**
 * A bfloat16 result as a tensor of the engine, which counts its bytes and frees it: float32 words of two numbers each,
 * with half as many columns; where these are odd, half as many words in all, rounded up. Nothing may compute with them.
 */
export function wordsOfBfloat16(
  { tensorMap }: Pick<TensorFlowBackend, "tensorMap">,
  { id, shape }: { readonly id: number; readonly shape: readonly number[] },
): Tensor {
  const dataId = {};
  tensorMap.set(dataId, { shape, dtype: BFLOAT16, id, values: null, refCount: 1 });
  const columns = shape.at(-1) ?? 1;
  const words = columns % 2 === 0 ? [...shape.slice(0, -1), columns / 2] : [Math.ceil(sizeOf(shape) / 2)];
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape: words, dtype: "float32" });
}
