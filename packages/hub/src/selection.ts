import type { RemoteFile } from "./listing.js";

/** What is needed of a repository. */
export interface Selection {
  /** For messages: `safetensors`, `files of data`. */
  readonly what: string;
  /** The name under which the cache notes what was selected. */
  readonly key: string;
  /** All that is needed; empty where the repository lacks it. `text` reads one of the files. */
  readonly all: (
    files: readonly RemoteFile[],
    text: (path: string) => Promise<string>,
  ) => Promise<readonly RemoteFile[]>;
}

const WEIGHTS = "model.safetensors";
const INDEX = `${WEIGHTS}.index.json`;
const ADAPTER = "adapter_model.safetensors";
/** What config, tokenizer and processor are made of, and the card, which names the licence. */
const SMALL = [
  "adapter_config.json",
  "added_tokens.json",
  "chat_template.jinja",
  "chat_template.json",
  "config.json",
  "generation_config.json",
  "merges.txt",
  "preprocessor_config.json",
  "processor_config.json",
  "README.md",
  "special_tokens_map.json",
  "tekken.json",
  "thaw-manifest.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "video_preprocessor_config.json",
  "vocab.json",
  "vocab.txt",
];

/** Of a model: config, tokenizer, processor, and the safetensors that are its weights. */
export const MODEL_FILES: Selection = {
  what: "safetensors (model.safetensors, or the shards of its index)",
  key: "model",
  async all(files, text) {
    const weights = await weightsOf(files, text);
    return weights.length === 0 ? [] : [...files.filter(({ path }) => isSmall(path)), ...weights];
  },
};

function isSmall(path: string): boolean {
  return SMALL.includes(path) || path === INDEX;
}

async function weightsOf(
  files: readonly RemoteFile[],
  text: (path: string) => Promise<string>,
): Promise<readonly RemoteFile[]> {
  const named = (names: readonly string[]): readonly RemoteFile[] => files.filter(({ path }) => names.includes(path));
  const single = named([WEIGHTS]);
  if (single.length > 0) return single;
  if (named([INDEX]).length > 0) return named(shardsOf(await text(INDEX)));
  return named([ADAPTER]);
}

/** The shards that an index names; what is wrong with it is told by whoever reads the weights. */
function shardsOf(index: string): readonly string[] {
  try {
    const { weight_map: map = {} } = JSON.parse(index) as { readonly weight_map?: Readonly<Record<string, unknown>> };
    return [...new Set(Object.values(map).map(String))];
  } catch {
    return [];
  }
}

/** True for the files of a model whose headers say enough to plan with. */
export function isWeights(path: string): boolean {
  return path.endsWith(".safetensors");
}

/** True for a file of a model's folder that belongs to the model: what is read of it, weights included. */
export function isModelFile(path: string): boolean {
  return isSmall(path) || (isWeights(path) && !path.includes("/"));
}

/** Code, and pickles, which run code when they are read. */
const CODE = /\.(py|pyc|ipynb|sh|bash|bat|cmd|ps1|[cm]?[jt]s|exe|dll|so|dylib|wasm|jar|bin|pt|pth|ckpt|pkl|pickle)$/i;

/** Of a data set: everything below `path` that is data. */
export function dataFiles(path?: string): Selection {
  const isBelow = (file: string): boolean => path === undefined || file === path || file.startsWith(`${path}/`);
  return {
    what: path === undefined ? "files of data" : `files of data at ${path}`,
    key: path === undefined ? "data" : `data:${path}`,
    all: (files) =>
      Promise.resolve(
        files.filter(
          ({ path: file }) =>
            isBelow(file) && !CODE.test(file) && !file.split("/").some((part) => part.startsWith(".")),
        ),
      ),
  };
}
