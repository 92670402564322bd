import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { DeviceMemory } from "@thaw/core";

/** How tfjs-node's backend runs an operation of TensorFlow. */
interface OperationRunner {
  readonly binding: {
    readonly TF_ATTR_INT: number;
    readonly TF_ATTR_TYPE: number;
    readonly TF_FLOAT: number;
    tensorDataSync(id: number): Int32Array;
    deleteTensor(id: number): void;
    executeOp(
      name: string,
      attributes: readonly { readonly name: string; readonly type: number; readonly value: number }[],
      inputs: readonly number[],
      outputCount: number,
    ): readonly { readonly id: number }[];
  };
  getInputTensorIds(tensors: readonly Tensor[]): number[];
}

/** Addresses by the operation of native/thaw_addresses.cc, for the backend `tensorflow`. */
export function tensorflowMemory(): DeviceMemory {
  const runner = tf.findBackend("tensorflow") as unknown as OperationRunner;
  return {
    addresses(tensors) {
      const { binding } = runner;
      const attributes = [
        { name: "N", type: binding.TF_ATTR_INT, value: tensors.length },
        { name: "T", type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
      ];
      const [output] = binding.executeOp("ThawAddresses", attributes, runner.getInputTensorIds(tensors), 1);
      const halves = binding.tensorDataSync(output!.id);
      binding.deleteTensor(output!.id);
      return tensors.map(
        (_, index) => (BigInt(halves[2 * index + 1]! >>> 0) << 32n) | BigInt(halves[2 * index]! >>> 0),
      );
    },
  };
}
