import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

type Track = (tensor: Tensor, backend: unknown) => void;

const watches = new Set<MemoryWatch>();
let uninstall: (() => void) | undefined;

/**
 * Peak bytes in tensors, exact: every tensor that TensorFlow.js makes is seen when it is made. The engine is global, so
 * one hook on it serves all watches and is taken away with the last.
 */
export class MemoryWatch {
  #peakBytes = tf.engine().state.numBytes;
  #lapBytes = this.#peakBytes;

  constructor() {
    watches.add(this);
    uninstall ??= install();
  }

  /** Highest since the watch was made. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Bytes now and the highest since the last call. */
  lap(): { readonly bytes: number; readonly peakBytes: number } {
    const bytes = tf.engine().state.numBytes;
    const peakBytes = Math.max(bytes, this.#lapBytes);
    this.#lapBytes = bytes;
    return { bytes, peakBytes };
  }

  /** @internal */
  see(bytes: number): void {
    if (bytes > this.#peakBytes) this.#peakBytes = bytes;
    if (bytes > this.#lapBytes) this.#lapBytes = bytes;
  }

  close(): void {
    watches.delete(this);
    if (watches.size > 0) return;
    uninstall?.();
    uninstall = undefined;
  }
}

function install(): () => void {
  const engine = tf.engine() as unknown as { trackTensor?: Track; readonly state: { readonly numBytes: number } };
  const before = Object.hasOwn(engine, "trackTensor") ? engine.trackTensor : undefined;
  const original = engine.trackTensor!;
  const watched: Track = (tensor, backend) => {
    original.call(engine, tensor, backend);
    for (const watch of watches) watch.see(engine.state.numBytes);
  };
  engine.trackTensor = watched;
  return () => {
    // Someone else may have wrapped ours since; then it stays, seeing nothing.
    if (engine.trackTensor !== watched) return;
    if (before === undefined) delete engine.trackTensor;
    else engine.trackTensor = before;
  };
}
