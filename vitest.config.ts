import { defineConfig } from "vitest/config";

/** Packages whose tests share a process: most of their time would be imports, and they leave nothing behind. */
const TOGETHER = [
  "autograd",
  "config",
  "contracts",
  "core",
  "create-thaw-plugin",
  "data",
  "hub",
  "models",
  "plugin-captions",
  "plugin-conflict-checker",
  "plugin-freeze-policy",
  "plugin-lora",
  "plugin-processes",
  "plugin-projector-only",
  "plugin-token-rows",
  "plugin-trackers",
  "report",
  "safetensors",
  "testing",
];
/** Of these the files that need a process of their own: they count workers. */
const ALONE = ["packages/data/src/workers/media-loader.test.ts"];
/** A template's sources are tested where they lie, before anything is made of them. */
const together = TOGETHER.flatMap((name) => ["src", "template"].map((part) => `packages/${name}/${part}/**/*.test.ts`));

export default defineConfig({
  test: {
    testTimeout: 400_000,
    hookTimeout: 400_000,
    // No test asks the network, or finds what this machine happens to have of the hub.
    env: { HF_HUB_OFFLINE: "1", HF_HOME: "/nonexistent/thaw-tests", HF_TOKEN: "" },
    maxWorkers: 2,
    // Tests that start processes of their own and say so run two at a time.
    maxConcurrency: 2,
    reporters: ["default", "./scripts/vitest-ci-reporter.mjs"],
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.test-d.ts"],
      reporter: ["text-summary"],
    },
    projects: [
      { extends: true, test: { name: "units", include: together, exclude: ALONE, isolate: false } },
      {
        extends: true,
        test: {
          name: "whole",
          include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...together],
        },
      },
      { extends: true, test: { name: "alone", include: ALONE } },
    ],
  },
});
