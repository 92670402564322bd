/**
 * An item of a source, and whether it is the last one: the step that it belongs to then ends, however few micro-batches
 * it has.
 */
export interface MarkedItem<T> {
  readonly item: T;
  /** Settles when the source has given the next item, has failed (which the next item is for) or has ended. */
  readonly isLast: () => Promise<boolean>;
}

/** Asks the source for the next item before the current one is worked on, so that workers decode meanwhile. */
export async function* markLast<T>(items: AsyncIterable<T>): AsyncGenerator<MarkedItem<T>> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    let current = await iterator.next();
    while (current.done !== true) {
      const next = iterator.next();
      // A failure is thrown in its turn, after what came before it
      const isLast = next.then(({ done }) => done === true).catch(() => false);
      yield { item: current.value, isLast: () => isLast };
      current = await next;
    }
  } finally {
    await iterator.return?.();
  }
}
