import { isOfSample } from "../errors/of-sample.js";
import type { Row } from "./collate.js";
import type { Problem } from "./survey.js";

/**
 * Puts other samples in the place of those that cannot be used. Which ones depends on the epoch's order alone: the next
 * one that can be used, so a resumed run sees the same.
 */
export class Skipping {
  readonly #isOn: boolean;
  readonly #problems = new Map<number, Problem>();
  /** Samples whose items were decoded once. */
  readonly #proven = new Set<number>();

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** Samples that are known to be unusable before they are asked for. */
  leaveOut(problems: ReadonlyMap<number, Problem>): void {
    for (const [index, problem] of problems) this.#problems.set(index, problem);
  }

  /** What was left out so far, by name, with the reason. */
  skipped(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /**
   * The row of the sample at a place of the order, or of the next one behind it (from the beginning, behind the end)
   * that can be used. @throws what the last one threw, where none can
   */
  async row(order: Int32Array, place: number, make: (index: number) => Promise<Row>): Promise<Row> {
    if (!this.#isOn) return make(order[place]!);
    for (let step = 0; step < order.length; step += 1) {
      const index = order[(place + step) % order.length]!;
      const row = await this.#usable(index, make);
      if (row !== undefined) return row;
    }
    throw [...this.#problems.values()].at(-1)!.error;
  }

  async #usable(index: number, make: (index: number) => Promise<Row>): Promise<Row | undefined> {
    if (this.#problems.has(index)) return undefined;
    try {
      const row = await make(index);
      if (!this.#proven.has(index)) for (const item of row.media) await item.ready();
      this.#proven.add(index);
      return row;
    } catch (error) {
      if (!isOfSample(error)) throw error;
      this.#problems.set(index, { origin: error.details.origin, error });
      return undefined;
    }
  }
}
