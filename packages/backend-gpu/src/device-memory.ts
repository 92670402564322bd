import type { DeviceMemory } from "@thaw/core";
import { operationRunner } from "./operation-runner.js";

/** Addresses by the operation of native/thaw_addresses.cc, for the backend `tensorflow`. */
export function tensorflowMemory(): DeviceMemory {
  const runner = operationRunner();
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
