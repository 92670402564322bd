import { processesInvalid } from "../errors/ensemble.js";
import { optionMissing, stopRuleUnknown } from "../errors/options.js";
import type { TrainerParts } from "./trainer-parts.js";

/**
 * Checks what only a run needs. @throws THAW_CORE_OPTION_MISSING, THAW_CORE_PROCESSES_INVALID,
 * THAW_CORE_STOP_RULE_UNKNOWN
 */
export function checkRunOptions({ options, training }: Pick<TrainerParts, "options" | "training">): void {
  if (options.data?.train === undefined) throw optionMissing("data.train", "Give a source of samples.");
  if (options.seed === undefined)
    throw optionMissing("seed", "Give any whole number: shuffling and initial values are functions of it.");
  const { processes = 1 } = options;
  if (!Number.isSafeInteger(processes) || processes < 1) throw processesInvalid(processes);
  if (training.epochs === undefined && training.maxSteps === undefined)
    throw optionMissing("training.epochs", "Give training.epochs or training.maxSteps.");
  const evaluations = [
    ...Object.keys(options.data?.evaluation ?? {}),
    ...(options.evaluators ?? []).map(({ name }) => name),
  ];
  const wanted = training.stopWhen?.evaluation;
  if (wanted !== undefined && !evaluations.includes(wanted)) throw stopRuleUnknown(wanted, evaluations);
}
