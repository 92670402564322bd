/** An item and whether it is the last: the step that it belongs to then ends, however few micro-batches it has. */
export async function* markLast<T>(items: AsyncIterable<T>): AsyncGenerator<{ readonly item: T; readonly isLast: boolean }> {
  let held: { readonly item: T } | undefined;
  for await (const item of items) {
    if (held !== undefined) yield { item: held.item, isLast: false };
    held = { item };
  }
  if (held !== undefined) yield { item: held.item, isLast: true };
}
