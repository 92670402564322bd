import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isOnHub } from "@thaw/config";
import type { CardData, CardFacts } from "@thaw/hub";
import { areNamed, type SourceSetting } from "../config/data-section.js";
import type { LoadedConfig } from "../config/load-config.js";
import { modelFolder } from "../running/build-run.js";
import { shellWord } from "../render/text.js";
import { ownVersion } from "../version.js";
import { namesIn } from "./hub-names.js";

type Saved = Readonly<Record<string, unknown>>;
type Summary = NonNullable<CardFacts["run"]>;

/** What a card says of a run: from its folder, its config, and the card of its base. */
export async function cardFacts(
  name: string,
  {
    config,
    folder,
    isAdapter,
  }: { readonly config: LoadedConfig; readonly folder: string; readonly isAdapter: boolean },
): Promise<CardFacts> {
  const { cardLicense, parseHubName } = await import("@thaw/hub");
  const formats = config.registry.all("formats");
  const dataOf = (source: SourceSetting): CardData => {
    const [onHub] = namesIn(source, formats);
    return onHub === undefined ? localData(source) : { name: parseHubName(onHub, "dataset").name, isOnHub: true };
  };
  const base = modelFolder(config);
  const text = (file: string): Promise<string> => readFile(file, "utf8").catch(() => "");
  const json = async <Value>(file: string): Promise<Partial<Value>> => JSON.parse((await text(file)) || "{}") as Value;
  const plan = await json<Pick<CardFacts, "components"> & { hash: string }>(join(folder, "plan.json"));
  const summary = await json<Summary>(join(folder, "summary.json"));
  const { model_type: modelType } = await json<{ model_type: string }>(join(base, "config.json"));
  const license = cardLicense(await text(join(base, "README.md")));
  const command = commandOf(config.saved);
  return {
    name,
    isAdapter,
    base: {
      name: config.hubName ?? basename(base),
      isOnHub: config.hubName !== undefined,
      ...(config.hubName === undefined ? {} : { commit: basename(base) }),
      ...(license === undefined ? {} : { license }),
    },
    ...(modelType === undefined ? {} : { modelType }),
    data: {
      train: [config.data.train ?? []].flat().map((one) => dataOf(one as SourceSetting)),
      evaluation: evaluationSets(config).map(dataOf),
    },
    components: plan.components ?? [],
    ...(summary.steps === undefined ? {} : { run: summary as Summary }),
    options: optionsOf(config),
    ...(plan.hash === undefined ? {} : { planHash: plan.hash }),
    versions: { thaw: ownVersion(), node: process.version },
    ...(command === undefined ? {} : { command }),
  };
}

function evaluationSets({ data: { evaluation } }: LoadedConfig): readonly SourceSetting[] {
  if (evaluation === undefined) return [];
  return areNamed(evaluation) ? Object.values(evaluation) : [evaluation as SourceSetting];
}

/** Folders of this machine say nothing to others, and more than they should: their last part alone is told. */
function localData(source: SourceSetting): CardData {
  const path = typeof source === "string" ? source : (source["path"] ?? source["set"] ?? source.type);
  return { name: typeof path === "string" && !isOnHub(path) ? basename(path) : "data", isOnHub: false };
}

function optionsOf({ values: { training, seed } }: LoadedConfig): Readonly<Record<string, string>> {
  const { learningRate, epochs, maxSteps, microBatchSize, gradientAccumulationSteps, precision } = training;
  const known = { learningRate, epochs, maxSteps, microBatchSize, gradientAccumulationSteps, precision, seed };
  return Object.fromEntries(
    Object.entries(known).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  );
}

function commandOf(saved: Saved): string | undefined {
  const { file, overrides = [] } = (saved["$saved"] ?? {}) as { file?: string; overrides?: readonly string[] };
  if (file === undefined) return undefined;
  return ["npx thaw train", basename(file), ...overrides.map((text) => `--set ${shellWord(text)}`)].join(" ");
}
