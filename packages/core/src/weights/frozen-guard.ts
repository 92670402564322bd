import type { PlanPhase } from "@thaw/contracts";
import { frozenMoved } from "../errors/parameters.js";
import type { FrozenProof } from "../api/summary.js";
import { joinHashes } from "./fingerprint.js";

/** Stands in the proof where buffers do, which no component trains or freezes. */
const BUFFERS = "buffers";

interface Watched {
  readonly component: string;
  readonly before: string;
}

/**
 * Proves that frozen means untouched: hashes every frozen parameter's live tensor when it becomes frozen, and again
 * when it starts to train or the run ends; a buffer's from the first phase on. Reads each tensor twice in a run and
 * nothing in a step.
 */
export class FrozenGuard {
  readonly #hash: (name: string) => Promise<string>;
  readonly #buffers: readonly string[];
  readonly #watched = new Map<string, Watched>();
  readonly #before = new Map<string, Map<string, string>>();
  readonly #after = new Map<string, Map<string, string>>();
  readonly #counts = new Map<string, Set<string>>();

  /** `hash`: of the values of a parameter or buffer as they are now. `buffers`: names. */
  constructor(hash: (name: string) => Promise<string>, buffers: readonly string[] = []) {
    this.#hash = hash;
    this.#buffers = buffers;
  }

  /** Begins a phase: checks what it lets train, watches what it freezes. @throws THAW_CORE_FROZEN_MOVED */
  async enter(phase: PlanPhase): Promise<void> {
    await this.#check(
      phase.entries.filter(({ name, trainable }) => trainable && this.#watched.has(name)).map(({ name }) => name),
      phase.fromStep,
    );
    for (const { name, component, trainable } of phase.entries)
      if (!trainable) await this.#watch(name, component, phase.fromStep);
    for (const name of this.#buffers) await this.#watch(name, BUFFERS, phase.fromStep);
  }

  /** One hash over everything that is frozen now: tells whether a checkpoint belongs to these weights. */
  fingerprint(): string {
    return joinHashes(new Map([...this.#watched].map(([name, { before }]) => [name, before])));
  }

  /** The proof by component, and of all buffers. @throws THAW_CORE_FROZEN_MOVED */
  async finish(step: number): Promise<readonly FrozenProof[]> {
    await this.#check([...this.#watched.keys()], step);
    return [...this.#counts].map(([component, names]) => {
      const before = joinHashes(this.#before.get(component)!);
      const after = joinHashes(this.#after.get(component)!);
      return { component, parameterCount: names.size, before, after, isUnchanged: before === after };
    });
  }

  async #watch(name: string, component: string, step: number): Promise<void> {
    if (this.#watched.has(name)) return;
    const before = await this.#hash(name);
    this.#watched.set(name, { component, before });
    note(this.#before, component, `${name}@${step}`, before);
    const counted = this.#counts.get(component) ?? new Set();
    this.#counts.set(component, counted.add(name));
  }

  async #check(names: readonly string[], step: number): Promise<void> {
    const moved: string[] = [];
    for (const name of names) {
      const { component, before } = this.#watched.get(name)!;
      const after = await this.#hash(name);
      if (after !== before) moved.push(name);
      // Named as when it was watched, so that the sums can be compared
      const key = [...this.#before.get(component)!.keys()].findLast((candidate) => candidate.startsWith(`${name}@`))!;
      note(this.#after, component, key, after);
      this.#watched.delete(name);
    }
    if (moved.length > 0) throw frozenMoved(moved, step);
  }
}

function note(table: Map<string, Map<string, string>>, component: string, key: string, hash: string): void {
  const hashes = table.get(component) ?? new Map<string, string>();
  table.set(component, hashes.set(key, hash));
}
