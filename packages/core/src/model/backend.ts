import * as tf from "@tensorflow/tfjs-core";
import { backendMissing } from "../errors/options.js";
import type { Backend } from "../api/contexts.js";

/**
 * The current TensorFlow.js backend, or the best that the program registered; without any, the pure JavaScript one if
 * it is installed.
 */
export async function defaultBackend(): Promise<Backend> {
  if (!hasBackend())
    await import("@tensorflow/tfjs-backend-cpu").catch((cause: unknown) => {
      throw backendMissing(cause);
    });
  await tf.ready();
  const name = tf.getBackend();
  return { name, description: `the TensorFlow.js backend ${name}`, matmul: name === "wasm" ? "plain2d" : "flags" };
}

function hasBackend(): boolean {
  return Object.keys(tf.engine().registryFactory).length > 0;
}
