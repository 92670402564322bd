import { nameList, type Finding, type ThawError } from "@thaw/contracts";
import type { z } from "zod";
import { make } from "./make.js";

/** One finding as text, with where its settings stand. */
export function findingText(finding: Finding): string {
  const where = finding.settings.map(({ path, file, line }) =>
    file === undefined ? path : `${path} (${file}${line === undefined ? "" : `:${line}`})`,
  );
  const place = where.length > 0 ? ` At ${where.join(" and ")}.` : "";
  return `[${finding.rule}] ${finding.message}${place} ${finding.fix}`.trim();
}

/** The plan has findings that are errors; all of them are in the message and in `details.findings`. */
export function planRefused(findings: readonly Finding[]): ThawError {
  const errors = findings.filter(({ severity }) => severity === "error");
  const texts = errors.map((finding) => `  - ${findingText(finding)}`).join("\n");
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  return make(
    "THAW_CORE_PLAN_REFUSED",
    `The plan has ${count}, so nothing was loaded and nothing was trained:\n${texts}`,
    { findings },
  );
}

/** `training` options that break the schema. */
export function trainingInvalid(issues: readonly Issue[]): ThawError {
  const text = issueLines("training", issues);
  return make("THAW_CORE_TRAINING_INVALID", `The training options are not valid:\n${text}`, { issues });
}

/** `trackers` that break the schema of their types. */
export function trackersInvalid(issues: readonly Issue[]): ThawError {
  const text = issueLines("trackers", issues);
  return make("THAW_CORE_TRACKERS_INVALID", `The trackers are not valid:\n${text}`, { issues });
}

/** A run needs an option that planning does not. */
export function optionMissing(option: string, advice: string): ThawError {
  return make("THAW_CORE_OPTION_MISSING", `${option} is not given. In new Trainer({ ... }). ${advice}`, { option });
}

/** A trainer does one thing at a time. */
export function alreadyRunning(): ThawError {
  return make(
    "THAW_CORE_ALREADY_RUNNING",
    "This trainer is running or has a session open. In Trainer. Wait for the run, close the session, or make a " +
      "second trainer.",
    {},
  );
}

/** `training.stopWhen` or `training.keep.best` names an evaluation that the run does not have. */
export function stopRuleUnknown(option: string, evaluation: string, known: readonly string[]): ThawError {
  return make(
    "THAW_CORE_STOP_RULE_UNKNOWN",
    `There is no evaluation ${evaluation}. In training.${option}.evaluation. ` +
      `${known.length === 0 ? "Name evaluation data." : `Evaluations are: ${nameList(known, 12)}.`}`,
    { option, evaluation, known },
  );
}

/** `training.precision` asks for what the backend does not have. */
export function precisionUnsupported(
  precision: string,
  {
    name,
    description,
    precisions = [],
  }: { readonly name: string; readonly description: string; readonly precisions?: readonly string[] },
): ThawError {
  const known = ["float32", ...precisions];
  return make(
    "THAW_CORE_PRECISION_UNSUPPORTED",
    `The backend ${name} (${description}) cannot train in ${precision}. In training.precision. It can: ` +
      `${known.join(", ")}; the native backend has bfloat16, an NVIDIA GPU tf32 and bfloat16 (thaw doctor says ` +
      "what is here).",
    { precision, backend: name, known },
  );
}

/** TensorFlow.js computes with one backend at a time, and another run of this process has its own. */
export function backendIsInUse(wanted: string, inUse: string): ThawError {
  return make(
    "THAW_CORE_BACKEND_IN_USE",
    `The backend ${wanted} was asked for while another run or session of this process computes with ${inUse}. In the ` +
      `current process. Let both compute with ${inUse}, wait until the other one has ended, or start a process ` +
      "for each.",
    { wanted, inUse },
  );
}

/** TensorFlow.js has nothing to compute with. */
export function backendMissing(cause: unknown): ThawError {
  return make(
    "THAW_CORE_BACKEND_MISSING",
    "No TensorFlow.js backend is registered. In the current process. Import one (npm install " +
      "@tensorflow/tfjs-backend-wasm), or add the plugin @thaw/backend-gpu, which picks one.",
    {},
    cause,
  );
}

/** What a schema found wrong, as zod tells it. */
type Issue = Pick<z.core.$ZodIssue, "path" | "message">;

/** One line per issue, under the path of its option. */
function issueLines(option: string, issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => `  - ${[option, ...path].map(String).join(".")}: ${message}`).join("\n");
}
