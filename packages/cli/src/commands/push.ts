import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { PushedFile } from "@thaw/hub";
import { bytesText } from "@thaw/contracts";
import { cardFacts } from "../hub/card-facts.js";
import { hubContext } from "../hub/hub-access.js";
import { openSession } from "../running/open-run.js";
import { openTarget, type Target } from "../running/run-folder.js";
import { createLogger } from "../terminal/log.js";
import type { Terminal } from "../terminal/terminal.js";

/** Options of `thaw push`. */
export interface PushOptions {
  readonly private?: boolean;
  readonly revision?: string;
  readonly dryRun?: boolean;
  readonly dtype: "f32" | "bf16";
  readonly backend?: string;
  /** The run may name code. */
  readonly trust?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Where `--dry-run` writes the card. */
const DRY_CARD = "model-card.md";

/**
 * Pushes a run, or a folder of a checkpoint or an adapter, to the hub with a model card. A run with adapters is pushed
 * as adapters, another one as a whole checkpoint. `@throws THAW_HUB_*`, THAW_CLI_NOT_A_RUN
 */
export async function push(path: string, name: string, options: PushOptions, terminal: Terminal): Promise<number> {
  const { parseHubName, pushFiles, repositoryText } = await import("@thaw/hub");
  const parsed = parseHubName(name, "model");
  const repository = options.revision === undefined ? parsed : { ...parsed, revision: options.revision };
  const folder = resolve(path);
  const scratch = await mkdtemp(join(tmpdir(), "thaw-push-"));
  try {
    const { files, card } = await gathered(folder, repository.name, scratch, options, terminal);
    const readme: readonly PushedFile[] =
      card === undefined ? [] : [{ path: "README.md", bytes: Buffer.byteLength(card), content: { text: card } }];
    const all = [...readme, ...files];
    if (options.dryRun === true) {
      if (card !== undefined) await writeFile(DRY_CARD, card);
      tell({ repository: repositoryText(repository), files: all, card: card === undefined ? undefined : DRY_CARD });
      return 0;
    }
    const title = `Push ${files.some(isAdapter) ? "adapters" : "a model"} with Thaw`;
    const push = { repository, files: all, title, isPrivate: options.private === true };
    const done = await pushFiles(push, await hubContext({ terminal, isQuiet: options.quiet === true }));
    terminal.out(options.json === true ? JSON.stringify(done) : done.page);
    return 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }

  function tell(plan: { repository: string; files: readonly PushedFile[]; card: string | undefined }): void {
    if (options.json === true) {
      terminal.out(
        JSON.stringify({ ...plan, files: plan.files.map(({ path: file, bytes }) => ({ path: file, bytes })) }),
      );
      return;
    }
    terminal.out(`Would push to ${plan.repository}:`);
    for (const { path: file, bytes } of plan.files) terminal.out(`  ${file}  ${bytesText(bytes)}`);
    if (plan.card !== undefined) terminal.out(`The card is in ${plan.card}. Nothing was pushed.`);
  }
}

interface Gathered {
  readonly files: readonly PushedFile[];
  /** Absent where the folder has its own. */
  readonly card?: string;
}

async function gathered(
  folder: string,
  name: string,
  scratch: string,
  options: PushOptions,
  terminal: Terminal,
): Promise<Gathered> {
  const { modelCard } = await import("@thaw/hub");
  const own = await modelFilesIn(folder);
  // A folder that holds adapters alone is no checkpoint that opens
  if (own.some(isAdapter)) return asItIs(own, terminal);
  const target = await openTarget(folder, { ...options, terminal });
  if (target.kind === "checkpoint") return asItIs(own, terminal);
  const adapter = join(target.trained!, "..", "adapter");
  const adapters = await modelFilesIn(adapter).catch(() => []);
  const card = modelCard(await cardFacts(name, { ...target, isAdapter: adapters.length > 0 }));
  if (adapters.length > 0) {
    if (target.config.hubName === undefined)
      terminal.err("The adapters' base is a local folder: push it too, and name it in adapter_config.json.");
    return { files: adapters, card };
  }
  await exported(target, scratch, options);
  return { files: await modelFilesIn(join(scratch, "model")), card };
}

function asItIs(files: readonly PushedFile[], terminal: Terminal): Gathered {
  if (!files.some(({ path }) => path === "README.md"))
    terminal.err("The folder has no README.md; push the run that made it, and Thaw writes a model card.");
  return { files };
}

function isAdapter({ path }: PushedFile): boolean {
  return path === "adapter_config.json";
}

/** The run as a whole checkpoint. */
async function exported(target: Target, scratch: string, { dtype, json }: PushOptions): Promise<void> {
  const { session } = await openSession(target, await createLogger("warn", { isJson: json === true }));
  try {
    await session.save(join(scratch, "model"), { dtype: dtype === "bf16" ? "BF16" : "F32" });
  } finally {
    await session.close();
  }
}

/** The files of a model's folder that are pushed: no other ones that happen to lie there. */
async function modelFilesIn(folder: string): Promise<readonly PushedFile[]> {
  const { isModelFile } = await import("@thaw/hub");
  const names = (await readdir(folder)).filter(isModelFile).sort();
  return Promise.all(
    names.map(async (path) => ({
      path,
      bytes: (await stat(join(folder, path))).size,
      content: { file: join(folder, path) },
    })),
  );
}
