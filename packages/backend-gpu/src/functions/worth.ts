/** Part of its time that a stretch of operations saves as a function, as measured (docs/performance.md). */
const SAVED = 0.5;
/** Milliseconds that making a function is thought to take before one was made: compiled, or read from the disk. */
const [COMPILED_MS, READ_MS] = [1500, 150];
/** Passes from which the time of a pass is taken. */
const RECENT = 8;

/** A stretch of operations with one set of shapes: what running them one by one took. */
export interface Watched {
  /** How often they ran one by one. */
  runs: number;
  /** The shortest time of a run, in milliseconds of the host, forward alone. */
  ms: number;
  /** The function that was made of them; null if that failed. */
  made?: object | null;
}

/** Costs of functions that were made. */
interface Made {
  count: number;
  ms: number;
}

/**
 * Whether compiling pays. A stretch is timed while it runs operation by operation, and by its part of a pass it is
 * known what its function would have saved so far. It is made once that would have paid for it, and only if what is
 * left of the run will again: so a run loses at most what it would have won, whatever comes after (the rule of those
 * who rent skis before they buy them). Times are in milliseconds.
 */
export class Worth {
  readonly #now: () => number;
  readonly #running: { readonly watched: Watched; readonly started: number; makingBefore: number }[] = [];
  readonly #made: Readonly<Record<"compiled" | "read", Made>> = {
    compiled: { count: 0, ms: 0 },
    read: { count: 0, ms: 0 },
  };
  /** Of recent passes, time of the pass per time of its stretches. */
  #ratios: number[] = [];
  #passes = 0;
  #passStarted: number;
  /** Time of this pass' stretches, of those that are in no other one. */
  #stretchesMs = 0;
  /** Time that making functions took since the start. */
  #makingMs = 0;
  #makingBeforePass = 0;
  /** Passes that are still to come, this one included, as far as is known. */
  passesLeft = Infinity;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#passStarted = now();
  }

  /** A stretch begins to run operation by operation. */
  begin(watched: Watched): void {
    this.#running.push({ watched, started: this.#now(), makingBefore: this.#makingMs });
  }

  /** The stretch that began last has run. */
  end(): void {
    const run = this.#running.pop();
    if (run === undefined) return;
    const { watched, started, makingBefore } = run;
    const ms = this.#now() - started - (this.#makingMs - makingBefore);
    watched.ms = watched.runs === 0 ? ms : Math.min(watched.ms, ms);
    watched.runs += 1;
    if (this.#running.length === 0) this.#stretchesMs += ms;
  }

  /** A stretch runs as a function. */
  replaced({ ms }: Watched): void {
    if (this.#running.length === 0) this.#stretchesMs += ms;
  }

  /** A function was made in that time; `isRead`: from what an earlier run compiled. */
  made(ms: number, isRead: boolean): void {
    const made = this.#made[isRead ? "read" : "compiled"];
    made.count += 1;
    made.ms += ms;
    this.#makingMs += ms;
  }

  /** Forward and backward are over. */
  endPass(): void {
    const now = this.#now();
    const passMs = now - this.#passStarted - (this.#makingMs - this.#makingBeforePass);
    if (this.#stretchesMs > 0) this.#ratios = [...this.#ratios, passMs / this.#stretchesMs].slice(-RECENT);
    this.#passes += 1;
    this.#passStarted = now;
    this.#stretchesMs = 0;
    this.#makingBeforePass = this.#makingMs;
  }

  /**
   * Whether a function of the stretch is worth its time by now. Inside a stretch whose own function will be, it never
   * is: that one saves more, and would find less to save.
   */
  isWorth(watched: Watched, isRead: boolean): boolean {
    const costOfAround = this.#costOf(false);
    if (this.#running.some(({ watched: around }) => around.made !== null && this.#pays(around, costOfAround)))
      return false;
    const cost = this.#costOf(isRead);
    return watched.runs * this.#gainOf(watched) >= cost && this.#pays(watched, cost);
  }

  /** Whether what is left of the run saves as much. */
  #pays(watched: Watched, cost: number): boolean {
    return ((this.passesLeft * watched.runs) / this.#passes) * this.#gainOf(watched) >= cost;
  }

  /** What a run of it as a function saves; nothing as long as the time of a pass is not known. */
  #gainOf({ ms }: Watched): number {
    const ratio = [...this.#ratios].sort((one, other) => one - other)[Math.floor(this.#ratios.length / 2)];
    return SAVED * ms * (ratio ?? 0);
  }

  #costOf(isRead: boolean): number {
    const { count, ms } = this.#made[isRead ? "read" : "compiled"];
    return count === 0 ? (isRead ? READ_MS : COMPILED_MS) : ms / count;
  }
}
