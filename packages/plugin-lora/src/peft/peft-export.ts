import type { Model } from "@thaw/core";
import { matrixNames, type Adapter } from "../adapters/adapter.js";
import { moduleName } from "../planning/module-names.js";
import { makePeftConfig } from "./peft-config.js";
import { writePeftFolder, type PeftValue } from "./peft-folder.js";
import { peftMatrixName, peftParameterName } from "./peft-names.js";
import { wholeModules } from "./whole-modules.js";

/** What an adapter folder is written from. */
export interface PeftExport {
  readonly model: Model;
  readonly adapters: readonly Adapter[];
  /** The model's own parameters that trained beside the adapters. */
  readonly trained: ReadonlySet<string>;
  readonly readParameter: (name: string) => Promise<Float32Array>;
}

/**
 * Writes adapters, and modules that trained whole beside them, in PEFT's layout. Returns trained parameters that the
 * layout cannot hold.
 * @throws THAW_LORA_FOLDER_EXISTS, THAW_LORA_FOLDER_UNWRITABLE
 */
export async function writePeft(
  folder: string,
  { model, adapters, trained, readParameter }: PeftExport,
): Promise<readonly string[]> {
  const whole = wholeModules(model, trained);
  const moduleOf = (module: string): string => moduleName(model, module);
  const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape]));
  const matrices = adapters.flatMap(({ module, rank, inputs, outputs }): PeftValue[] => {
    const { a, b } = matrixNames(module);
    return [
      { name: peftMatrixName(moduleOf(module), "a"), shape: [rank, inputs], values: () => readParameter(a) },
      { name: peftMatrixName(moduleOf(module), "b"), shape: [outputs, rank], values: () => readParameter(b) },
    ];
  });
  const parameters = whole.parameters.map((name): PeftValue => ({
    name: peftParameterName(moduleOf(name)),
    shape: shapes.get(name)!,
    values: () => readParameter(name),
  }));
  await writePeftFolder(
    folder,
    makePeftConfig(adapters, moduleOf, {
      modelType: model.modelType,
      base: model.hubName ?? model.source,
      modulesToSave: whole.modules,
    }),
    [...matrices, ...parameters],
  );
  return whole.omitted;
}
