/** A batch being prepared, and how to start its images early. */
export interface Prepared<Kind> {
  readonly batch: Kind;
  readonly prefetch: () => void;
}

/**
 * Yields what `prepare` makes of each number from `first` to `last - 1`. As soon as an image of the batch in use is
 * asked for (`onLoad`), the next batch is prepared and its images begin to decode: never more than one ahead. Where
 * nobody asks (a feature cache answers), nothing is decoded.
 */
export async function* withPrefetch<Kind>(
  first: number,
  last: number,
  prepare: (index: number, onLoad: () => void) => Promise<Prepared<Kind>>,
): AsyncGenerator<Kind> {
  let inUse = first;
  let next: Promise<Prepared<Kind>> | undefined;
  const begin = (index: number): Promise<Prepared<Kind>> =>
    prepare(index, () => {
      if (index !== inUse || index + 1 >= last || next !== undefined) return;
      next = begin(index + 1);
      // A failure waits in `next` until the batch's turn.
      next.then(
        ({ prefetch }) => prefetch(),
        () => undefined,
      );
    });
  for (; inUse < last; inUse += 1) {
    const current = next ?? begin(inUse);
    next = undefined;
    yield (await current).batch;
  }
}
