import type { LibraryHandle } from "koffi";
import { libraryMissing } from "../errors.js";

/** A shared library, opened by the first of its names that there is. */
export async function openLibrary(engine: string, names: readonly string[], advice: string): Promise<LibraryHandle> {
  const { default: koffi } = await import("koffi");
  let cause: unknown;
  for (const name of names)
    try {
      return koffi.load(name, { global: true });
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
