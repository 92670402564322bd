import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Letter } from "./letters.js";
import type { MlflowServer } from "./server.js";

/** Most of what `runs/log-batch` takes in one call. */
const [MOST_METRICS, MOST_PARAMS] = [1000, 100];
/** Artifacts that the server keeps itself, and takes over HTTP. */
const OWN_ARTIFACTS = "mlflow-artifacts:";

/** What is known of the run on the server; in `mlflow.json` of the tracker's folder. */
interface KnownRun {
  readonly runId: string;
  readonly artifactUri: string;
}

interface RunAnswer {
  readonly run: { readonly info: { readonly run_id: string; readonly artifact_uri: string } };
}

/** What hands letters over to a server. */
export interface MlflowDelivery {
  readonly server: MlflowServer;
  readonly folder: string;
  readonly experiment: string;
  /** Told once, where the server does not take artifacts itself. */
  readonly onNoArtifacts: (uri: string) => void;
}

/** The run of a tracker on its server: made with the first letter, and the same one ever after. */
export class MlflowRun {
  readonly #delivery: MlflowDelivery;
  #known: KnownRun | undefined;
  #isTold = false;

  constructor(delivery: MlflowDelivery) {
    this.#delivery = delivery;
  }

  /** Hands letters over in order. @throws THAW_TRACKERS_MLFLOW_SILENT, THAW_TRACKERS_MLFLOW_ANSWERED */
  async deliver(letters: readonly Letter[]): Promise<void> {
    let metrics: object[] = [];
    const sendMetrics = async (): Promise<void> => {
      const all = metrics;
      metrics = [];
      for (let at = 0; at < all.length; at += MOST_METRICS)
        await this.#log({ metrics: all.slice(at, at + MOST_METRICS) });
    };
    for (const letter of letters) {
      if (letter.kind === "metrics") {
        const { step, time: timestamp } = letter;
        metrics.push(...Object.entries(letter.metrics).map(([key, value]) => ({ key, value, timestamp, step })));
        continue;
      }
      await sendMetrics();
      await this.#deliverOne(letter);
    }
    await sendMetrics();
  }

  async #deliverOne(letter: Exclude<Letter, { kind: "metrics" }>): Promise<void> {
    const { server, folder } = this.#delivery;
    switch (letter.kind) {
      case "begin":
        return this.#begin(letter);
      case "again":
        await server.call("runs/update", { run_id: (await this.#run()).runId, status: "RUNNING" });
        return;
      case "sample":
        await this.#put(`${letter.place}.json`, letter.text);
        for (const [number, path] of letter.pictures.entries())
          // The tracker's folder lies two below the run's
          await this.#put(`${letter.place}-${number}.${path.split(".").at(-1)!}`, join(folder, "../..", path), true);
        return;
      case "end": {
        const { time, status, text } = letter;
        await this.#log({ tags: [{ key: "thaw.end", value: text }] });
        await server.call("runs/update", { run_id: (await this.#run()).runId, status, end_time: time });
      }
    }
  }

  async #begin(letter: Extract<Letter, { kind: "begin" }>): Promise<void> {
    const { server, folder } = this.#delivery;
    const experimentId = await this.#experiment();
    const filter = `tags."thaw.id" = '${letter.id}'`;
    const found = await server.call<{ readonly runs?: readonly RunAnswer["run"][] }>("runs/search", {
      experiment_ids: [experimentId],
      filter,
    });
    const tags = Object.entries({ ...letter.tags, "thaw.id": letter.id }).map(([key, value]) => ({ key, value }));
    const { info } =
      found.runs?.[0] ??
      (
        await server.call<RunAnswer>("runs/create", {
          experiment_id: experimentId,
          run_name: letter.name,
          start_time: letter.time,
          tags,
        })
      ).run;
    this.#known = { runId: info.run_id, artifactUri: info.artifact_uri };
    await writeFile(join(folder, "mlflow.json"), `${JSON.stringify(this.#known)}\n`);
    const params = Object.entries(letter.params).map(([key, value]) => ({ key, value }));
    for (let at = 0; at < params.length; at += MOST_PARAMS)
      await this.#log({ params: params.slice(at, at + MOST_PARAMS) });
    await this.#put("config.json", letter.config);
  }

  /** Its id; the experiment is made where it lacks. */
  async #experiment(): Promise<string> {
    const { server, experiment: name } = this.#delivery;
    const found = await server.find<{ readonly experiment: { readonly experiment_id: string } }>(
      "experiments/get-by-name",
      { experiment_name: name },
    );
    if (found !== undefined) return found.experiment.experiment_id;
    return (await server.call<{ readonly experiment_id: string }>("experiments/create", { name })).experiment_id;
  }

  async #log(what: object): Promise<void> {
    await this.#delivery.server.call("runs/log-batch", { run_id: (await this.#run()).runId, ...what });
  }

  /** `isFile`: `content` is a file's path. */
  async #put(place: string, content: string, isFile = false): Promise<void> {
    const { artifactUri } = await this.#run();
    if (artifactUri.startsWith(OWN_ARTIFACTS)) {
      // With or without the host: mlflow-artifacts:/1/<run>/artifacts
      const root = new URL(artifactUri).pathname.replace(/^\/+/, "");
      const bytes = isFile ? new Uint8Array(await readFile(content)) : content;
      await this.#delivery.server.put(`${root}/${place}`, bytes);
    } else if (!this.#isTold) {
      this.#isTold = true;
      this.#delivery.onNoArtifacts(artifactUri);
    }
  }

  async #run(): Promise<KnownRun> {
    this.#known ??= JSON.parse(await readFile(join(this.#delivery.folder, "mlflow.json"), "utf8")) as KnownRun;
    return this.#known;
  }
}
