import { Script } from "node:vm";
import { tooSlow } from "../errors/samples.js";

/** What one text may take: thousands of times what real tokenizers and templates need. */
export const LIMIT_MS = 10_000;

const KEY = Symbol.for("@thaw/data/bounded");
/** A script alone can be ended from outside, regular expressions in it included. */
const script = new Script(`globalThis[Symbol.for("@thaw/data/bounded")]()`);
/** The file whose patterns run now; the innermost one, also after the outermost was ended. */
let current: string | undefined;

/**
 * Runs work that patterns of a file decide (a tokenizer's regular expressions, a chat template): it is ended where it
 * takes too long. Calls inside of such work count towards it, so that one watch serves a whole sample.
 * @throws THAW_DATA_TOO_SLOW naming the file
 */
export function bounded<T>(file: string, run: () => T, limitMs = LIMIT_MS): T {
  const outer = current;
  current = file;
  if (outer !== undefined) {
    const result = run();
    current = outer;
    return result;
  }
  let result: { readonly value: T } | undefined;
  (globalThis as { [KEY]?: () => void })[KEY] = () => {
    result = { value: run() };
  };
  try {
    script.runInThisContext({ timeout: limitMs });
    return result!.value;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException | null)?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
    throw tooSlow(current, limitMs);
  } finally {
    current = undefined;
  }
}
