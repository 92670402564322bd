import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import type { TrackerOptions } from "@thaw/core";
import { trackerConformance } from "@thaw/testing";
import { beforeAll, describe, it } from "vitest";
import { trackers } from "./plugin.js";

beforeAll(async () => {
  await setBackend("cpu");
});

describe.each<TrackerOptions>([
  { type: "csv" },
  { type: "tensorboard", histograms: 2 },
  { type: "wandb", histograms: 2 },
])("the tracker $type", (options) => {
  for (const { name, run } of trackerConformance(trackers, options)) it(name, run);
});
