import { causeText } from "@thaw/contracts";

/** Errors of the language: what a decoder of others stumbles into where damaged bytes contradict each other. */
const STUMBLED: readonly string[] = ["TypeError", "RangeError", "ReferenceError"];

/** What a decoder said of a file, in words of a file: an error of the language is about its code. */
export function decoderLine(cause: unknown): string {
  let root = cause;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  const isOfLanguage = root instanceof Error && STUMBLED.includes(root.name) && !("syscall" in root);
  return isOfLanguage ? "what it says of itself contradicts its bytes" : firstLine(cause);
}

/** What went wrong, as the first line of its text says it, without a full stop. */
export function firstLine(cause: unknown): string {
  return causeText(cause).trim().split("\n")[0]!.replace(/\.$/, "");
}
