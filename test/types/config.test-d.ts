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

// @ts-expect-error a config needs a model
defineConfig({ seed: 1 });
// @ts-expect-error a word that is not a schedule
defineConfig({ model: "m", training: { schedule: { type: "cosin" } } });
// @ts-expect-error an unknown option
defineConfig({ model: "m", freeze: { trainMmProjOnyl: true } });
// @ts-expect-error a source of no known kind
defineConfig({ model: "m", data: { train: { type: "zip", path: "x" } } });
