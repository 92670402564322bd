import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseJson, fileInFolder, MAX_TEXT_BYTES, readPlainFile } from "@thaw/contracts";
import { configReader, type ConfigReader } from "./config-reader.js";
import { badConfig, folderUnreadable } from "../errors.js";

/** Reads config.json of a checkpoint folder. @throws THAW_CHECKPOINT_UNREADABLE, THAW_CHECKPOINT_CONFIG */
export async function readConfig(folder: string): Promise<ConfigReader> {
  const status = await stat(folder).catch((cause: unknown) => {
    throw folderUnreadable(folder, cause);
  });
  if (!status.isDirectory()) throw folderUnreadable(folder, new Error("this is not a folder"));
  const file = join(folder, "config.json");
  const text = await readText(folder, "config.json").catch((cause: unknown) => {
    throw folderUnreadable(folder, cause);
  });
  return parse(file, text);
}

/** Reads generation_config.json; empty if there is none. @throws THAW_CHECKPOINT_CONFIG */
export async function readGenerationConfig(folder: string): Promise<ConfigReader> {
  const file = join(folder, "generation_config.json");
  const text = await readText(folder, "generation_config.json").catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "{}";
    throw folderUnreadable(folder, cause);
  });
  return parse(file, text);
}

async function readText(folder: string, name: string): Promise<string> {
  return (await readPlainFile(await fileInFolder(folder, name), MAX_TEXT_BYTES)).toString("utf8");
}

function parse(file: string, text: string): ConfigReader {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw badConfig(file, "", `The file is not JSON: ${(cause as Error).message}.`, "Correct it or download it again.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badConfig(file, "", "The file holds no JSON object.", "Download it again.");
  return configReader(file, value as Record<string, unknown>);
}
