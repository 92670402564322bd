import { readNumber, type ForeignBuilder } from "./builder.js";

/** `lr_scheduler_type` of transformers 5.24, by Thaw's `type`. */
const SCHEDULES: Readonly<Record<string, string>> = {
  linear: "linear",
  cosine: "cosine",
  cosine_with_min_lr: "cosine",
  cosine_with_restarts: "cosine_with_restarts",
  polynomial: "polynomial",
  constant: "constant",
  constant_with_warmup: "constant",
  inverse_sqrt: "inverse_sqrt",
  warmup_stable_decay: "warmup_stable_decay",
};
/** The rate at the end of a polynomial schedule, where nothing is said. */
const POLYNOMIAL_END = 1e-7;
const DECAYS: Readonly<Record<string, string>> = { cosine: "cosine", linear: "linear", "1-sqrt": "sqrt" };

/** `lr_scheduler_type` and `lr_scheduler_kwargs`; `rate` is the learning rate that least rates are shares of. */
export function readSchedule(from: ForeignBuilder, fallback: string, rate: number): void {
  const name = from.text("lr_scheduler_type") ?? fallback;
  const type = SCHEDULES[name];
  if (type === undefined)
    from.warnDropped(
      "lr_scheduler_type",
      `Thaw has no ${name}, so the rate stays constant where it would change`,
      "Choose one of Thaw's under training.schedule.",
    );
  else from.means("lr_scheduler_type", "training.schedule.type", type, fallback);
  const given = from.value("lr_scheduler_kwargs");
  const options = readMapping(given);
  const unknown: string[] = given === undefined || options !== undefined ? [] : ["the value, which is no mapping"];
  let isPolynomialEnd = type === "polynomial";
  for (const [key, value] of Object.entries(options ?? {})) {
    const meaning = type === undefined ? undefined : meaningOf(type, key, value, rate);
    if (meaning === undefined) unknown.push(key);
    else {
      from.means("lr_scheduler_kwargs", `training.schedule.${meaning[0]}`, meaning[1]);
      if (key === "lr_end") isPolynomialEnd = false;
    }
  }
  if (isPolynomialEnd && rate > 0)
    from.means("lr_scheduler_type", "training.schedule.minRatio", POLYNOMIAL_END / rate, fallback);
  if (unknown.length > 0)
    from.warnDropped(
      "lr_scheduler_kwargs",
      `Thaw's schedule ${type ?? name} has no counterpart of ${unknown.join(", ")}`,
      "Say what it means under training.schedule.",
    );
}

/** Thaw's option and value; undefined where there is none. */
function meaningOf(type: string, key: string, value: unknown, rate: number): readonly [string, unknown] | undefined {
  const number = readNumber(value);
  const share = number === undefined || rate === 0 ? undefined : number / rate;
  const known: Readonly<Record<string, readonly [string, unknown]>> = {
    "cosine num_cycles": ["cycles", number],
    "cosine min_lr": ["minRatio", share],
    "cosine min_lr_rate": ["minRatio", number],
    "cosine_with_restarts num_cycles": ["cycles", number],
    "polynomial power": ["power", number],
    "polynomial lr_end": ["minRatio", share],
    "inverse_sqrt timescale": ["timescale", number],
    "warmup_stable_decay num_decay_steps": ["decaySteps", number],
    "warmup_stable_decay decay_type": ["decay", DECAYS[String(value)]],
    "warmup_stable_decay min_lr_ratio": ["minRatio", number],
  };
  const meaning = known[`${type} ${key}`];
  return meaning?.[1] === undefined ? undefined : meaning;
}

/** A mapping, or the JSON of one, as arguments write it. */
function readMapping(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value === "string") {
    try {
      return readMapping(JSON.parse(value) as unknown);
    } catch {
      return undefined;
    }
  }
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  return isMapping ? (value as Readonly<Record<string, unknown>>) : undefined;
}
