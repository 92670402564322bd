// @ts-check
import { ThawError } from "@thaw/contracts";
import { knownFamilies, openModel } from "@thaw/models";
import { openGolden } from "./golden.mjs";
import { compareInputs } from "./inputs.mjs";
import { compareOutputs, compareRuns } from "./runs.mjs";

/**
 * Compares everything that a golden folder holds with what Thaw computes, one comparison after the other.
 * @param {string} folder
 * @param {string} backend a name that the config's `backend` takes
 * @returns {AsyncGenerator<import("./compare.mjs").Comparison>}
 */
export async function* compareFolder(folder, backend) {
  const { modelType } = await openModel(folder);
  if (!knownFamilies().includes(modelType)) {
    throw new ThawError(
      "THAW_MODEL_NO_FORWARD",
      `Thaw has no forward pass for a model of type ${modelType}. In ${folder}. Give folders of these types: ` +
        `${knownFamilies().join(", ")}.`,
    );
  }
  const golden = await openGolden(folder);
  try {
    yield* compareInputs(golden);
    yield* compareOutputs(golden, backend);
    yield* compareRuns(golden, backend);
  } finally {
    await golden.reader.close();
  }
}
