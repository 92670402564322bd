import type { Plan } from "@thaw/contracts";
import type { FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { checkBase } from "../checkpoint/resume.js";
import type { RunPart } from "../run/run-part.js";
import { phaseAt } from "../plan/plan.js";
import type { FrozenGuard } from "./frozen-guard.js";

/** What a run's guard of the frozen is told of. */
export interface FrozenPartInput {
  readonly guard: FrozenGuard;
  readonly plan: Plan;
  readonly planHash: string;
  /** Steps done when the run begins. */
  readonly startStep: number;
  readonly checkpoint: FoundCheckpoint | undefined;
}

/** The guard as a part of a run: what is frozen in each phase, and its fingerprint in checkpoints. */
export class FrozenPart implements RunPart {
  readonly #input: FrozenPartInput;
  /** Over what is frozen, by the first number of steps done for which it holds. */
  readonly #fingerprints: { readonly fromSteps: number; readonly value: string }[] = [];

  constructor(input: FrozenPartInput) {
    this.#input = input;
  }

  /** @throws THAW_CORE_RESUME_MISMATCH where the run goes on from a checkpoint of other frozen weights */
  async open(): Promise<void> {
    const { guard, plan, planHash, startStep, checkpoint } = this.#input;
    await guard.enter(phaseAt(plan, Math.max(0, startStep - 1)));
    this.#note(startStep);
    if (checkpoint !== undefined) checkBase(checkpoint, planHash, guard.fingerprint());
  }

  /** @throws THAW_CORE_FROZEN_MOVED */
  async enterPhase(step: number): Promise<void> {
    const { guard, plan } = this.#input;
    await guard.enter(phaseAt(plan, step));
    this.#note(step + 1);
  }

  state(step: number): { readonly baseFingerprint: string } {
    return { baseFingerprint: this.#fingerprints.findLast(({ fromSteps }) => fromSteps <= step)!.value };
  }

  #note(fromSteps: number): void {
    this.#fingerprints.push({ fromSteps, value: this.#input.guard.fingerprint() });
  }
}
