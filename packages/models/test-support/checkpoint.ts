import { elementCount } from "@thaw/contracts";
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors, writeSafetensors } from "@thaw/safetensors";

/** The golden checkpoint of a LLaVA model that is in the repository. */
export const LLAVA_FOLDER = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));

type Json = Record<string, unknown>;

/** How a copy of the golden checkpoint differs from it. */
export interface Changes {
  /** The folder that is changed. Default: the golden LLaVA. */
  readonly from?: string;
  /** Edits config.json in place. */
  readonly config?: (config: Json & { text_config: Json; vision_config: Json }) => void;
  /** New name of a stored tensor, or null to leave it out. */
  readonly rename?: (name: string) => string | null;
  /** Tensors to be added, all zero. */
  readonly add?: Readonly<Record<string, readonly number[]>>;
}

/** Copies the golden checkpoint into a new folder with changes; the caller removes it. */
export async function changedCheckpoint({
  from: source = LLAVA_FOLDER,
  config: edit,
  rename = (name) => name,
  add = {},
}: Changes): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-model-"));
  await cp(source, folder, { recursive: true, filter: (path) => !path.includes("golden.") });
  if (edit !== undefined) {
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Json & {
      text_config: Json;
      vision_config: Json;
    };
    edit(config);
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
  }
  const reader = await openSafetensors(join(source, "model.safetensors"));
  const kept = [...reader.entries.values()].flatMap((entry) => {
    const name = rename(entry.name);
    return name === null ? [] : [{ name, dtype: entry.dtype, shape: entry.shape, from: entry.name }];
  });
  const added = Object.entries(add).map(([name, shape]) => ({ name, dtype: "F32" as const, shape, from: "" }));
  const all = new Map([...kept, ...added].map((tensor) => [tensor.name, tensor]));
  await writeSafetensors(join(folder, "model.safetensors"), [...all.values()], (name) => {
    const { from, shape } = all.get(name)!;
    return from === "" ? new Float32Array(elementCount(shape)) : reader.readBytes(from);
  });
  await reader.close();
  return folder;
}
