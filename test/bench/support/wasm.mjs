import { createRequire } from "node:module";
import { dirname } from "node:path";

/** TensorFlow.js on its WASM backend, single-threaded as it always is in Node. */
export async function startWasm() {
  const tf = await import("@tensorflow/tfjs-core");
  const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setThreadsCount(1);
  setWasmPaths(
    `${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`,
  );
  if (!(await tf.setBackend("wasm"))) throw new Error("The WASM backend does not start.");
  await tf.ready();
  return tf;
}

/**
 * Watches the bytes that TensorFlow.js holds: `measure(run)` gives the result, the time and the largest number of bytes
 * on the way.
 */
export function peakMeter(tf) {
  const engine = tf.engine();
  const track = engine.trackTensor.bind(engine);
  let peak = 0;
  engine.trackTensor = (tensor, backend) => {
    track(tensor, backend);
    peak = Math.max(peak, engine.state.numBytes);
  };
  return async (run) => {
    peak = engine.state.numBytes;
    const start = performance.now();
    const result = await run();
    return { result, milliseconds: performance.now() - start, peakBytes: peak };
  };
}
