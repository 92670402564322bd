import type { Ensemble } from "./ensemble.js";

/**
 * Whether a run was told to stop. One process knows it at once; several act on it when all have heard of it, so that
 * they end after the same step.
 */
export class SharedStop {
  readonly #own: () => string | undefined;
  readonly #size: number;
  #heard: string | undefined;

  /** `own`: what this process was told, if it was. */
  constructor(own: () => string | undefined, { size }: Pick<Ensemble, "size">) {
    this.#own = own;
    this.#size = size;
  }

  /** What this process was told. Among several only to be passed on, and to leave off work whose result is shared. */
  get own(): string | undefined {
    return this.#own();
  }

  /** Why the run is to stop; undefined: it goes on. The same on every rank. */
  get reason(): string | undefined {
    return this.#size === 1 ? this.#own() : this.#heard;
  }

  /** What every rank was told, by rank. */
  hear(reasons: readonly (string | null | undefined)[]): void {
    this.#heard ??= reasons.find((reason) => typeof reason === "string") ?? undefined;
  }
}
