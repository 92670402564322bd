import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { keepSecret } from "@thaw/contracts";

/** Where the hub is, where its files are kept, and who asks. */
export interface HubSettings {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** The folder of `models--org--name`. */
  readonly cache: string;
  /** Sent to the endpoint alone, never to where it redirects. */
  readonly token?: string;
  /** Nothing is asked of the network. */
  readonly isOffline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings that Hugging Face's own tools read, from the same variables (huggingface_hub 1.x, constants.py):
 * HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_TOKEN or the file that `hf auth login` writes, HF_HUB_OFFLINE.
 * @param home the user's folder
 */
export async function hubSettings(environment: Environment, home: string): Promise<HubSettings> {
  const given = (name: string): string | undefined => {
    const value = environment[name]?.trim() ?? "";
    return value === "" ? undefined : value;
  };
  const path = (name: string): string | undefined => given(name)?.replace(/^~(?=$|[\\/])/, home);
  const folder = path("HF_HOME") ?? join(path("XDG_CACHE_HOME") ?? join(home, ".cache"), "huggingface");
  const token = given("HF_TOKEN") ?? (await tokenOf(path("HF_TOKEN_PATH") ?? join(folder, "token")));
  if (token !== undefined) keepSecret(token, "HF_TOKEN");
  return {
    endpoint: (given("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    cache: path("HF_HUB_CACHE") ?? path("HUGGINGFACE_HUB_CACHE") ?? join(folder, "hub"),
    isOffline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].some((name) =>
      ["1", "ON", "YES", "TRUE"].includes(given(name)?.toUpperCase() ?? ""),
    ),
    ...(token === undefined ? {} : { token }),
  };
}

async function tokenOf(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}
