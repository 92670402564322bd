import * as tf from "@tensorflow/tfjs-core";
import { backendIsInUse, backendMissing } from "../errors/options.js";
import type { Backend } from "../api/contexts.js";

/**
 * The current TensorFlow.js backend, or the best that the program registered; without any, the pure JavaScript one if
 * it is installed.
 */
async function defaultBackend(): Promise<Backend> {
  if (!hasBackend())
    await import("@tensorflow/tfjs-backend-cpu").catch((cause: unknown) => {
      throw backendMissing(cause);
    });
  await tf.ready();
  const name = tf.getBackend();
  return { name, description: `the TensorFlow.js backend ${name}`, matmul: name === "wasm" ? "plain2d" : "flags" };
}

/** A backend that a run or session computes with until it lets go of it. */
export interface HeldBackend {
  readonly backend: Backend;
  readonly release: () => void;
}

/** How many runs and sessions of this process compute with which backend: TensorFlow.js has one current one for all. */
const holders = new Map<string, number>();
/** The last start: one at a time, so that none sees another halfway. */
let lastStart: Promise<unknown> = Promise.resolve();

/**
 * Name of the backend that a run or session of this process computes with, as TensorFlow.js registers it; undefined
 * while none does. Who makes another one current meanwhile takes it away from them.
 */
export function backendInUse(): string | undefined {
  return holders.keys().next().value;
}

/**
 * Starts a backend and holds it, one start at a time. @throws THAW_CORE_BACKEND_IN_USE where another run computes with
 * another one, which is then current again
 */
export function holdBackend(start: () => Promise<Backend | undefined>): Promise<HeldBackend> {
  const result = lastStart.then(() => startAndHold(start));
  lastStart = result.catch(() => undefined);
  return result;
}

async function startAndHold(start: () => Promise<Backend | undefined>): Promise<HeldBackend> {
  const inUse = backendInUse();
  const backend = (await start()) ?? (await defaultBackend());
  const { name } = backend;
  if (inUse !== undefined && backendInUse() === inUse && inUse !== name) {
    backend.dispose?.();
    await tf.setBackend(inUse);
    throw backendIsInUse(name, inUse);
  }
  holders.set(name, (holders.get(name) ?? 0) + 1);
  let isHeld = true;
  return {
    backend,
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      const left = holders.get(name)! - 1;
      if (left === 0) holders.delete(name);
      else holders.set(name, left);
      backend.dispose?.();
    },
  };
}

function hasBackend(): boolean {
  return Object.keys(tf.engine().registryFactory).length > 0;
}
