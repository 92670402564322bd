import type { LibraryHandle } from "koffi";
import { libraryMissing } from "../errors.js";

/**
 * A shared library, opened by the first of its names that there is. `isGlobal`: parts that the library loads later find
 * its symbols, as those of MPI have to; but so do other libraries, and TensorFlow's, which has names of CUDA's for
 * functions of its own, would call those of a second runtime.
 */
export async function openLibrary(
  engine: string,
  names: readonly string[],
  advice: string,
  isGlobal = false,
): Promise<LibraryHandle> {
  const { default: koffi } = await import("koffi");
  let cause: unknown;
  for (const name of names)
    try {
      return koffi.load(name, { global: isGlobal });
    } catch (error) {
      cause = error;
    }
  throw libraryMissing(engine, names, cause, advice);
}

/** Lets other work go on until a call that is under way in a library is done; nothing waits in a thread meanwhile. */
export async function polled(isDone: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isDone()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
