import { readdirSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { openGolden } from "./golden.mjs";

const root = fileURLToPath(new URL("../fixtures/goldens/", import.meta.url));
const folders = readdirSync(root).filter((name) => existsSync(`${root}${name}/golden.safetensors`));

/** Patches and tiles of the two pictures of each golden: of one size, in a grid, in tiles. */
const ROWS: Readonly<Record<string, readonly (readonly number[])[]>> = {
  llava: [[16], [16]],
  qwen2_vl: [
    [1, 8, 10],
    [1, 6, 16],
  ],
  // Four tiles and two, with an overview each.
  idefics3: [[5 * 16], [3 * 16]],
  smolvlm: [[16], [16]],
};

it.each(folders)("reads the pictures of %s as items of rows with the placeholders of their row", async (name) => {
  const { batch, reader } = await openGolden(`${root}${name}`);
  await reader.close();
  expect(batch.media).toHaveLength(batch.batchSize);
  for (const [row, item] of batch.media.entries()) {
    const { rows, width } = item.inputs.pixelValues!;
    const { pixelValues } = await item.load();
    expect([item.sample, pixelValues!.length]).toEqual([row, rows * width]);
    const ids = batch.tokenIds.subarray(row * batch.tokenCount, (row + 1) * batch.tokenCount);
    const placeholder = ids[item.columns[0]!];
    expect([...item.columns]).toEqual([...ids.keys()].filter((column) => ids[column] === placeholder));
  }
  const counts = batch.media.map(({ inputs, facts }) =>
    facts.tiles === undefined ? facts.grid : [inputs.pixelValues!.rows],
  );
  if (ROWS[name] !== undefined) expect(counts).toEqual(ROWS[name]);
});
