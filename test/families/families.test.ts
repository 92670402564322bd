import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openGolden } from "../parity/golden.mjs";
import { compareGeneration } from "./generation.mjs";
import { compareSavings } from "./savings.mjs";
import { STATE_NAMES } from "./states.mjs";

const goldens = fileURLToPath(new URL("../fixtures/goldens", import.meta.url));
const folders = readdirSync(goldens, { withFileTypes: true }).filter((entry) => entry.isDirectory());
/** What needs more steps than there are here is in `npm run savings` alone, as are all other states of each family. */
const states = STATE_NAMES.filter((name) => !name.includes("from step"));
const TABLE = folders.map(({ name }, index) => ({ name, state: states[index % states.length]! }));

it.each(TABLE)("$name trains alike with every saving and with none: $state", async ({ name, state }) => {
  const golden = await openGolden(join(goldens, name));
  try {
    for await (const { quantity, maxError, tolerance, pass } of compareSavings(golden, {
      backend: "wasm",
      state,
      microBatchSizes: [2],
      rowCount: 4,
    }))
      expect(pass, `${quantity} is off by ${maxError}, allowed are ${tolerance}`).toBe(true);
  } finally {
    await golden.reader.close();
  }
});

it.each(["gemma4", "lfm2_vl"])(
  "%s writes alike in a batch, padded on either side, and in full passes",
  async (name) => {
    const golden = await openGolden(join(goldens, name));
    try {
      for await (const { quantity, maxError, pass } of compareGeneration(golden, "wasm"))
        expect(pass, `${quantity}: ${maxError}`).toBe(true);
    } finally {
      await golden.reader.close();
    }
  },
);
