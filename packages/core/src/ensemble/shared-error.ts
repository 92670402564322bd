import { ThawError } from "@thaw/contracts";
import type { Ensemble } from "./ensemble.js";

/**
 * Of what every rank says of a step that is not finite, what says most: the one that found the samples it comes from,
 * else rank 0's. @throws THAW_CORE_RANK_LOST
 */
export async function worstOf(ensemble: Ensemble, error: ThawError): Promise<ThawError> {
  if (ensemble.size === 1) return error;
  const all = await ensemble.gather({ message: error.message, details: error.details });
  const { message, details } = all.find((one) => one.details["samples"] !== undefined) ?? all[0]!;
  return new ThawError(error.code, message, { details, cause: error.cause });
}
