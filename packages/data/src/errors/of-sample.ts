/** True of an error that is about one sample. */
export function isOfSample(error: unknown): error is Error & { readonly details: { readonly origin: string } } {
  const { code, details } = error as { readonly code?: unknown; readonly details?: { readonly origin?: unknown } };
  return typeof code === "string" && code.startsWith("THAW_DATA_") && typeof details?.origin === "string";
}
