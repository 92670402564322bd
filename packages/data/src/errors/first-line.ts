import { causeText } from "@thaw/contracts";

/** What went wrong, as the first line of its text says it, without a full stop. */
export function firstLine(cause: unknown): string {
  return causeText(cause).trim().split("\n")[0]!.replace(/\.$/, "");
}
