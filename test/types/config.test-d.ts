/** What `defineConfig` lets through. Compiled with the tests; nothing here runs. */
import { defineConfig } from "@thaw/cli";
import freezePolicy from "@thaw/plugin-freeze-policy";

defineConfig({
  model: { path: "./checkpoint", initialize: ["multi_modal_projector"] },
  data: { train: "iconify:noto", evaluation: { twemoji: { type: "iconify", set: "twemoji", concepts: "seen" } } },
  freeze: { trainMmProjOnly: true, components: { languageModel: "frozen" } },
  training: { maxSteps: 200, schedule: { type: "cosine" } },
  checks: { rules: { "dead-parameter": "off" } },
  projectorOnly: { featureCache: { disk: true } },
  backend: "wasm",
  plugins: ["@thaw/plugin-x", freezePolicy({ trainMmProjOnly: true })],
  // sections of third-party plugins are theirs
  board: { port: 6006 },
});

defineConfig({
  model: "m",
  data: {
    train: [{ type: "csv", path: "a.csv", weight: 2 }],
    evaluation: { type: "parquet", path: "b", metrics: ["cider"] },
    metrics: ["loss", { type: "anls", threshold: 0.4, name: "near" }],
  },
  // a text may be an environment variable's
  trackers: [{ type: "csv" }, { type: "mlflow", url: "http://localhost:5000", token: { env: "TOKEN" } }],
  training: { optimizer: { type: "lion", beta1: 0.9 }, components: { language_model: { learningRate: 1e-5 } } },
  stages: [{ name: "one", training: { maxSteps: 3 } }],
});

// @ts-expect-error an option of another optimizer
defineConfig({ model: "m", training: { optimizer: { type: "lion", momentum: 0.9 } } });
// @ts-expect-error an option that the format has not
defineConfig({ model: "m", data: { train: { type: "csv", path: "x", shards: 2 } } });
// @ts-expect-error a tracker without its address
defineConfig({ model: "m", trackers: [{ type: "mlflow" }] });
// @ts-expect-error an option that the metric has not
defineConfig({ model: "m", data: { metrics: [{ type: "anls", max_order: 2 }] } });
// @ts-expect-error a config needs a model
defineConfig({ seed: 1 });
// @ts-expect-error a word that is not a schedule
defineConfig({ model: "m", training: { schedule: { type: "cosin" } } });
// @ts-expect-error an unknown option
defineConfig({ model: "m", freeze: { trainMmProjOnyl: true } });
// @ts-expect-error a source of no known kind
defineConfig({ model: "m", data: { train: { type: "zip", path: "x" } } });
