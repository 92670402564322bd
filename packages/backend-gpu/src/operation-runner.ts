import * as tf from "@tensorflow/tfjs-core";
import type { FunctionBackend, OperationAttribute, OperationBinding } from "./functions/index.js";

/** How tfjs-node's backend runs operations of TensorFlow: what of it is used outside of functions. */
export interface OperationRunner extends Pick<FunctionBackend, "getInputTensorIds"> {
  readonly binding: OperationBinding & {
    /** Number of the type float32. */
    readonly TF_FLOAT: number;
    /** Values of an int32 tensor, by its number. */
    tensorDataSync(id: number): Int32Array;
  };
  executeMultipleOutputs(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly tf.TensorInfo[],
    outputCount: number,
  ): tf.TensorInfo[];
}

/** The backend `tensorflow` of this process. */
export function operationRunner(): OperationRunner {
  return tf.findBackend("tensorflow") as unknown as OperationRunner;
}
