import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { API_VERSION, definePlugin } from "@thaw/core";
import { runTiny, tinyTrainerOptions, trackerConformance, withTempFolder } from "@thaw/testing";
import { beforeAll, expect, it } from "vitest";
import { tracker } from "./tracker.js";

const tracking = definePlugin({ name: "TrackingPlugin", apiVersion: API_VERSION, provides: { trackers: [tracker] } });

beforeAll(async () => {
  await setBackend("cpu");
});

for (const { name, run } of trackerConformance(tracking, { type: "my-plugin" })) it(name, run);

it("writes every second loss", () =>
  withTempFolder(async (output) => {
    const { losses } = await runTiny(
      tinyTrainerOptions({ output, plugins: [tracking()], trackers: [{ type: "my-plugin", every: 2 }] }),
    );
    const [run] = await readdir(output);
    const text = await readFile(join(output, run!, "trackers/my-plugin/losses.txt"), "utf8");
    expect(text).toBe(`2 ${losses[1]}\n4 ${losses[3]}\n6 ${losses[5]}\n`);
  }));
