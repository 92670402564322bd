import { memory } from "@tensorflow/tfjs-core";
import { tensorsLeaked } from "./errors.js";

/**
 * Runs and compares the number of tensors before and after. Returns what `run` returns.
 * @throws THAW_TESTING_TENSORS_LEAKED if there are more or fewer.
 */
export async function withoutLeak<T>(run: () => T | Promise<T>, where = "the guarded code"): Promise<T> {
  const before = memory().numTensors;
  const result = await run();
  const after = memory().numTensors;
  if (after !== before) throw tensorsLeaked(before, after, where);
  return result;
}
