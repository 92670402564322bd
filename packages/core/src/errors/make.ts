import { ThawError } from "@thaw/contracts";

/** An error of core: stable code, what is wrong and what to do, and the message's facts as data. */
export function make(
  code: string,
  message: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): ThawError {
  return new ThawError(code, message, { details, cause });
}
