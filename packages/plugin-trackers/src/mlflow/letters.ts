import { eventNumbers, picturePath, type MetricsLine, type RunFacts, type SampleEvent } from "@thaw/core";

/** What MLflow is told, as it is written down. Times are milliseconds since 1970. */
export type Letter =
  | {
      readonly kind: "begin";
      /** By which the run is found again where an answer was lost. */
      readonly id: string;
      readonly name: string;
      readonly time: number;
      readonly params: Readonly<Record<string, string>>;
      readonly tags: Readonly<Record<string, string>>;
      readonly config: string;
    }
  | { readonly kind: "again" }
  | {
      readonly kind: "metrics";
      /** What was measured: `step`, or an evaluation's name. */
      readonly of: string;
      readonly step: number;
      readonly time: number;
      /** Numbers that JSON does not have are texts. */
      readonly metrics: Readonly<Record<string, number | string>>;
    }
  | {
      readonly kind: "sample";
      readonly of: string;
      readonly step: number;
      /** Path among the run's artifacts, without an ending. */
      readonly place: string;
      readonly text: string;
      /** In the run folder. */
      readonly pictures: readonly string[];
    }
  | {
      readonly kind: "end";
      readonly time: number;
      readonly status: "FINISHED" | "KILLED" | "FAILED";
      readonly text: string;
    };

/** Longest value of a parameter that MLflow 2 and 3 take. */
const LONGEST_PARAM = 500;

/** The first letter of a run. */
export function beginLetter({ name, model, seed, config }: RunFacts, id: string, time: number): Letter {
  const params = Object.fromEntries([...leaves(config, "")].map(([key, value]) => [named(key), value]));
  return {
    kind: "begin",
    id,
    name,
    time,
    params,
    tags: { model, seed: String(seed) },
    config: JSON.stringify(config, null, 2),
  };
}

/** An event of measurements. */
export function metricsLetter(event: MetricsLine, time: number): Letter {
  const of =
    event.event === "step" ? "step" : event.event === "evaluated" ? event.name : `${event.name} ${event.baseline}`;
  const metrics = Object.fromEntries(
    Object.entries(eventNumbers(event)).map(([name, value]) => [
      named(name),
      Number.isFinite(value) ? value : String(value),
    ]),
  );
  return { kind: "metrics", of: `${event.event} ${of}`, step: event.step, time, metrics };
}

/** What the model made of a sample. */
export function sampleLetter({ name, index, id, step, texts, numbers, images }: SampleEvent): Letter {
  const folder = `samples/${named(name)}/step-${String(step).padStart(8, "0")}`;
  const place = `${folder}/${index}-${named(id).replaceAll("/", "_")}`;
  return {
    kind: "sample",
    of: `sample ${name} ${index}`,
    step,
    place,
    text: JSON.stringify({ id, ...texts, ...numbers }, null, 2),
    pictures: images.map(picturePath),
  };
}

/** A name that MLflow takes: letters, digits and some signs. */
function named(name: string): string {
  return name.replaceAll(/[^\w\-. :/]/g, "_");
}

/** The leaves of a config by their dotted paths. What `$saved` says of places is in the config's own artifact. */
function* leaves(value: unknown, path: string): Generator<readonly [string, string]> {
  if (value === undefined || path === "$saved") return;
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0)
    for (const [key, inner] of Object.entries(value)) yield* leaves(inner, path === "" ? key : `${path}.${key}`);
  else if (path !== "")
    yield [path, (typeof value === "string" ? value : JSON.stringify(value)).slice(0, LONGEST_PARAM)];
}
