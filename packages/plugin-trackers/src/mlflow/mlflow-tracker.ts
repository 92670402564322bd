import { randomUUID } from "node:crypto";
import type { SentLater, Tracker, TrackerMaking } from "@thaw/core";
import { Outbox } from "../outbox/outbox.js";
import { beginLetter, metricsLetter, sampleLetter, type Letter } from "./letters.js";
import { MlflowRun } from "./mlflow-run.js";
import { MlflowServer, type ServerOptions } from "./server.js";

/** The options of the type `mlflow`. */
export interface MlflowOptions extends ServerOptions {
  readonly experiment: string;
  readonly samples: boolean;
}

type Place = Pick<TrackerMaking, "folder" | "logger">;

/** Tells an MLflow server of a run; what it cannot be told now it is told later. */
export async function mlflowTracker(
  options: MlflowOptions,
  { facts, folder, logger }: TrackerMaking,
): Promise<Tracker> {
  const { outbox, letters } = await open(options, { folder, logger });
  // Steps that are made again have the same numbers: each thing is told once
  const lastStep = new Map<string, number>();
  for (const letter of letters) if ("of" in letter) lastStep.set(letter.of, letter.step);
  const add = async (letter: Letter): Promise<void> => {
    if ("of" in letter) {
      if (letter.step <= (lastStep.get(letter.of) ?? -1)) return;
      lastStep.set(letter.of, letter.step);
    }
    await outbox.add(letter);
  };
  await add(letters.length === 0 ? beginLetter(facts, randomUUID(), Date.now()) : { kind: "again" });
  return {
    async record(event) {
      switch (event.event) {
        case "step":
        case "evaluated":
        case "baseline":
          return add(metricsLetter(event, Date.now()));
        case "sample":
          return options.samples ? add(sampleLetter(event)) : undefined;
        case "done": {
          const { isInterrupted, stopReason } = event.summary;
          return add({
            kind: "end",
            time: Date.now(),
            status: isInterrupted ? "KILLED" : "FINISHED",
            text: stopReason,
          });
        }
        case "failed":
          return add({ kind: "end", time: Date.now(), status: "FAILED", text: event.message });
        default:
          return undefined;
      }
    },
    async close() {
      const { left, reason } = await outbox.flush();
      if (left > 0)
        logger.warn(
          { tracker: "mlflow", left },
          `${left} messages to MLflow could not be sent: ${reason}. They are kept: npx thaw track ${facts.runFolder} ` +
            "sends them.",
        );
    },
  };
}

/** Sends what waits in a tracker's folder. */
export async function sendMlflow(options: MlflowOptions, place: Place): Promise<SentLater> {
  return (await open(options, place)).outbox.flush();
}

function open(options: MlflowOptions, { folder, logger }: Place) {
  const run = new MlflowRun({
    server: new MlflowServer(options),
    folder,
    experiment: options.experiment,
    onNoArtifacts: (uri) =>
      logger.warn(
        { tracker: "mlflow" },
        `MLflow keeps artifacts at ${uri}, which takes none over HTTP: config and samples are not sent. Start the ` +
          "server with --serve-artifacts, or set samples: false.",
      ),
  });
  return Outbox.open<Letter>({
    folder,
    deliver: (letters) => run.deliver(letters),
    onWaiting: (reason) =>
      logger.warn({ tracker: "mlflow" }, `What MLflow is told is written down and sent later: ${reason}.`),
  });
}
