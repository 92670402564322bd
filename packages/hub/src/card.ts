import { countText } from "@thaw/contracts";
import { parse, stringify } from "yaml";

/** What a model card says, each as far as it is known. */
export interface CardFacts {
  /** `org/name` of what is pushed. */
  readonly name: string;
  readonly isAdapter: boolean;
  readonly base: {
    /** `org/name`, or the last part of a folder's path. */
    readonly name: string;
    readonly isOnHub: boolean;
    readonly commit?: string;
    /** As its own card says it. */
    readonly license?: string;
  };
  readonly modelType?: string;
  readonly data: {
    readonly train: readonly CardData[];
    readonly evaluation: readonly CardData[];
  };
  /** In data-flow order. */
  readonly components: readonly {
    readonly name: string;
    readonly state: string;
    readonly parameterCount: number;
    readonly reason: string;
  }[];
  readonly run?: {
    readonly steps: number;
    readonly tokens: number;
    readonly firstLoss?: number;
    readonly lastLoss?: number;
    /** Measures by evaluation set. */
    readonly evaluations: Readonly<Record<string, Readonly<Record<string, number>>>>;
    readonly frozenProof: readonly { readonly component: string; readonly isUnchanged: boolean }[];
  };
  /** Options that differ from run to run: learning rate, steps, seed. */
  readonly options: Readonly<Record<string, string>>;
  readonly planHash?: string;
  readonly versions: Readonly<Record<string, string>>;
  /** That trained it. */
  readonly command?: string;
}

/** One data set: its name on the hub, or the last part of its path. */
export interface CardData {
  readonly name: string;
  readonly isOnHub: boolean;
}

/** A model card: README.md with the YAML head that the hub reads. */
export function modelCard(facts: CardFacts): string {
  const { name, isAdapter, base, data, components, run, versions, command, planHash, options } = facts;
  const datasets = data.train.filter(({ isOnHub }) => isOnHub).map((one) => one.name);
  const head = {
    ...(base.isOnHub ? { base_model: base.name, base_model_relation: isAdapter ? "adapter" : "finetune" } : {}),
    ...(base.license === undefined ? {} : { license: base.license }),
    ...(datasets.length === 0 ? {} : { datasets: [...new Set(datasets)] }),
    library_name: isAdapter ? "peft" : "transformers",
    tags: ["thaw", ...(isAdapter ? ["lora"] : []), ...(facts.modelType === undefined ? [] : [facts.modelType])],
  };
  const place = base.isOnHub
    ? `[${base.name}](https://huggingface.co/${base.name})`
    : `\`${base.name}\`, a local folder`;
  const at = base.commit === undefined ? "" : ` at commit \`${base.commit.slice(0, 12)}\``;
  const body = [
    `# ${name.split("/").at(-1)}`,
    `${isAdapter ? "Adapters (PEFT) for" : "Fine-tuned from"} ${place}${at}, trained with Thaw.` +
      (base.license === undefined ? " The licence of the base holds: see its card." : ""),
    "## Data",
    list([
      ...(data.train.length === 0 ? ["Not known."] : data.train.map((one) => `trained on ${dataText(one)}`)),
      ...data.evaluation.map((one) => `measured on ${dataText(one)}`),
    ]),
    ...section(
      "What trained",
      components.length > 0,
      table(
        ["component", "state", "parameters", "why"],
        components.map((one) => [one.name, one.state, countText(one.parameterCount), one.reason]),
      ),
    ),
    ...(run === undefined ? [] : measured(run)),
    ...section("Options", Object.keys(options).length > 0, pairs(options)),
    ...section("Made with", Object.keys(versions).length > 0, pairs(versions)),
    ...(planHash === undefined ? [] : [`Trainability plan: \`${planHash.slice(0, 12)}\`.`]),
    ...(command === undefined ? [] : [`\`\`\`sh\n${command}\n\`\`\``]),
  ];
  return `---\n${stringify(head)}---\n\n${body.join("\n\n")}\n`;
}

function measured({
  steps,
  tokens,
  firstLoss,
  lastLoss,
  evaluations,
  frozenProof,
}: NonNullable<CardFacts["run"]>): string[] {
  const loss =
    firstLoss === undefined || lastLoss === undefined ? "" : `, loss ${firstLoss.toFixed(4)} to ${lastLoss.toFixed(4)}`;
  const rows = Object.entries(evaluations).flatMap(([set, measures]) =>
    Object.entries(measures).map(([measure, value]) => [set, measure, String(Number(value.toPrecision(5)))]),
  );
  const unchanged = frozenProof.filter(({ isUnchanged }) => isUnchanged).map(({ component }) => component);
  return [
    "## How it was measured",
    `${steps} steps, ${countText(tokens)} tokens${loss}.`,
    ...(rows.length === 0 ? ["No evaluation set was named."] : [table(["set", "measure", "value"], rows)]),
    ...(unchanged.length === 0
      ? []
      : [`Frozen, and bit for bit as in the base after the last step: ${unchanged.join(", ")}.`]),
  ];
}

function dataText({ name, isOnHub }: CardData): string {
  return isOnHub ? `[${name}](https://huggingface.co/datasets/${name})` : `\`${name}\`, local`;
}

function section(title: string, isThere: boolean, text: string): readonly string[] {
  return isThere ? [`## ${title}`, text] : [];
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

function pairs(values: Readonly<Record<string, string>>): string {
  return list(Object.entries(values).map(([key, value]) => `${key}: ${value}`));
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The licence that a card's head names; undefined where it names none. */
export function cardLicense(card: string): string | undefined {
  const head = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1];
  if (head === undefined) return undefined;
  try {
    const { license } = (parse(head) ?? {}) as { readonly license?: unknown };
    return typeof license === "string" ? license : undefined;
  } catch {
    return undefined;
  }
}
