import { Environment, Interpreter, type Template } from "@huggingface/jinja";

/** The library's interpreter, whose own types do not resolve from a module. */
type Evaluation = { readonly value: unknown };
interface PlainInterpreter {
  run(program: unknown): Evaluation;
  evaluate(statement: unknown, environment: unknown): Evaluation;
}
/** What one rendering may take: real templates need some 5,000 steps per 100 messages, and make some kilobytes. */
const MAX_STEPS = 200_000;
const MAX_LENGTH = 20_000_000;
const MAX_ITEMS = 1_000_000;

/**
 * An interpreter that counts what a template does, and ends it by an error where that is more than any conversation
 * needs. Made at the first rendering: a bundle that only plans has no library of templates.
 */
function boundedInterpreter(environment: unknown): PlainInterpreter {
  const Plain = Interpreter as unknown as new (environment: unknown) => PlainInterpreter;
  let steps = 0;
  class Bounded extends Plain {
    override evaluate(statement: unknown, scope: unknown): Evaluation {
      steps += 1;
      if (steps > MAX_STEPS) throw new RangeError(`it takes more than ${MAX_STEPS} steps`);
      const result = super.evaluate(statement, scope);
      const { value } = result;
      if (typeof value === "string" && value.length > MAX_LENGTH)
        throw new RangeError(`it makes a text of more than ${MAX_LENGTH} characters`);
      if (Array.isArray(value) && value.length > MAX_ITEMS)
        throw new RangeError(`it makes a list of more than ${MAX_ITEMS} items`);
      return result;
    }
  }
  return new Bounded(environment);
}

/** Renders a template with variables, in bounded time and memory. @throws RangeError, and what the template raises */
export function renderBounded(program: Template["parsed"], variables: Readonly<Record<string, unknown>>): string {
  const Variables = Environment as unknown as new () => { set(name: string, value: unknown): void };
  const environment = new Variables();
  for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) environment.set(name, value);
  return String(boundedInterpreter(environment).run(program).value);
}

/** As the library's own, but for a `range` that cannot fill the memory. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  false: false,
  true: true,
  none: null,
  False: false,
  True: true,
  None: null,
  raise_exception: (message: string) => {
    throw new Error(message);
  },
  range,
  strftime_now: (format: string) => strftime(new Date(), format),
};

/** Python's `range`. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, end] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new RangeError("range() has a step of 0");
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!(length <= MAX_ITEMS)) throw new RangeError(`range() has more than ${MAX_ITEMS} items`);
  return Array.from({ length }, (_, index) => start + index * step);
}

/** The part of Python's `strftime` that templates use, in English. */
function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const month = (style: "long" | "short"): string => new Intl.DateTimeFormat("en", { month: style }).format(date);
  const parts: Readonly<Record<string, () => string>> = {
    Y: () => String(date.getFullYear()),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    b: () => month("short"),
    B: () => month("long"),
    H: () => two(date.getHours()),
    M: () => two(date.getMinutes()),
    "%": () => "%",
  };
  return format.replaceAll(/%([YmdbBHM%])/g, (_, letter: string) => parts[letter]!());
}
