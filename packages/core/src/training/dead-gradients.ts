import type { Logger } from "../api/logger.js";
import { append, nameList, type Segment } from "@thaw/contracts";
import type { DeadGradient } from "../api/summary.js";
import type { RunPart } from "../run/run-part.js";
import { segmentsBehind } from "../weights/fingerprint.js";

/** What a reason is told from. */
export interface DeadGradientFacts {
  readonly segments: readonly Segment[];
  /** Names that the model says it never uses. */
  readonly deadParameters: readonly string[];
  readonly owners: ReadonlyMap<string, string>;
  /** Plugins by hook, of those hooks through which a plugin can take a gradient away. */
  readonly plugins: Readonly<Record<"scope" | "loss" | "gradients", readonly string[]>>;
}

/** One step as the detector sees it. */
export interface GradientStep {
  readonly step: number;
  readonly trained: Iterable<string>;
  /** Sum of squares of each gradient that there is. */
  readonly squares: ReadonlyMap<string, number>;
  readonly stopAfter: ReadonlySet<string>;
  /** Inputs of which no micro-batch of the step had an item. */
  readonly missingInputs: ReadonlySet<string>;
}

interface Stretch {
  readonly kind: DeadGradient["kind"];
  readonly fromStep: number;
  steps: number;
  missingInputs: ReadonlySet<string>;
}

/**
 * Counts, for each trained parameter, the steps in a row without gradient, and reports it once when they are `limit`
 * (null: never).
 */
export class DeadGradients implements RunPart {
  readonly #limit: number | null;
  readonly #facts: DeadGradientFacts;
  readonly #stretches = new Map<string, Stretch>();
  readonly #found = new Map<string, DeadGradient>();

  constructor(limit: number | null, facts: DeadGradientFacts) {
    this.#limit = limit;
    this.#facts = facts;
  }

  /** Everything found so far. */
  get found(): readonly DeadGradient[] {
    return [...this.#found.values()];
  }

  summary(): { readonly deadGradients: readonly DeadGradient[] } {
    return { deadGradients: this.found };
  }

  /** Adds a step; returns what reached the limit with it. */
  observe({ step, trained, squares, stopAfter, missingInputs }: GradientStep): readonly DeadGradient[] {
    if (this.#limit === null) return [];
    const fresh: DeadGradient[] = [];
    for (const name of trained) {
      const square = squares.get(name);
      const kind = square === undefined ? "none" : square === 0 ? "zero" : undefined;
      if (kind === undefined) {
        this.#stretches.delete(name);
        continue;
      }
      const stretch = this.#lengthen(name, kind, step, missingInputs);
      const known = this.#found.get(name);
      if (known === undefined && stretch.steps < this.#limit) continue;
      const dead: DeadGradient = {
        name,
        component: this.#facts.owners.get(name) ?? "",
        kind,
        fromStep: stretch.fromStep,
        steps: stretch.steps,
        reason: this.#reason(name, stretch, stopAfter),
      };
      if (known === undefined) fresh.push(dead);
      if (known === undefined || known.steps < dead.steps) this.#found.set(name, dead);
    }
    return fresh;
  }

  /** Starts to count anew for parameters that no longer train. */
  forget(names: Iterable<string>): void {
    for (const name of names) this.#stretches.delete(name);
  }

  #lengthen(name: string, kind: Stretch["kind"], step: number, missingInputs: ReadonlySet<string>): Stretch {
    const before = this.#stretches.get(name);
    const stretch = before?.kind === kind ? before : { kind, fromStep: step, steps: 0, missingInputs };
    stretch.steps += 1;
    stretch.missingInputs = new Set([...stretch.missingInputs].filter((input) => missingInputs.has(input)));
    this.#stretches.set(name, stretch);
    return stretch;
  }

  #reason(name: string, { kind, missingInputs }: Stretch, stopAfter: ReadonlySet<string>): string {
    const { segments, deadParameters, plugins } = this.#facts;
    if (deadParameters.includes(name)) return "the model never uses it";
    const missing = inputsBehind(segments, name).filter((input) => missingInputs.has(input));
    if (missing.length > 0)
      return `no sample of these steps had ${nameList(missing)}, which its part of the model reads`;
    if (kind === "none") {
      if (stopAfter.size > 0) return `the plan stops gradients after ${nameList([...stopAfter])}`;
      const wrapping = [...new Set([...plugins.scope, ...plugins.loss])];
      return wrapping.length > 0
        ? `the loss does not depend on it; ${nameList(wrapping)} may have taken its place`
        : "the loss does not depend on it: the forward pass does not use it";
    }
    if (plugins.gradients.length > 0)
      return `its gradient is 0 everywhere; ${nameList(plugins.gradients)} may have made it so`;
    return (
      "its gradient is 0 everywhere: what it multiplies, or what it is multiplied by, is 0 or does not change the " +
      "loss"
    );
  }
}

/** The findings as lines for people, a line for all parameters of a component with one reason. */
export function deadGradientLines(found: readonly DeadGradient[]): readonly string[] {
  const groups = new Map<string, DeadGradient[]>();
  for (const dead of found) {
    append(groups, `${dead.component} ${dead.reason}`, dead);
  }
  return [...groups.values()].map((group) => {
    const { component, reason } = group[0]!;
    const steps = Math.min(...group.map((one) => one.steps));
    const what = group.length === 1 ? "1 trained parameter" : `${group.length} trained parameters`;
    return `No gradient for ${steps} steps: ${what} of ${component} (${nameList(
      group.map(({ name }) => name),
      3,
    )}). The likely reason: ${reason}.`;
  });
}

/** Batch inputs that the segments of a parameter read, or those before them. */
function inputsBehind(segments: readonly Segment[], parameter: string): readonly string[] {
  const users = segments.filter(({ parameters }) => parameters.includes(parameter));
  const behind = new Set(users.flatMap(({ name }) => [...segmentsBehind(segments, name)]));
  return [...new Set(segments.filter(({ name }) => behind.has(name)).flatMap(({ reads }) => reads))];
}

/** Says in warnings which trained parameters get no gradient. */
export function warnOfDeadGradients(found: readonly DeadGradient[], logger: Logger): void {
  for (const line of deadGradientLines(found)) logger.warn({ parameters: found.map(({ name }) => name) }, line);
}
