import type { DataSource } from "@thaw/data";

/** A source of which every epoch has the first micro-batches of the first epoch alone; its size is said as it is. */
export function firstBatches(source: DataSource, count: number): DataSource {
  return {
    ...source,
    batches: (order) => take(source.batches({ ...order, epoch: 0 }), count),
  };
}

async function* take<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    taken += 1;
    if (taken >= count) return;
  }
}
