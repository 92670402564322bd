import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../packages/cli/src/config/load-config.js";
import type { Planning } from "../../packages/cli/src/planning/plan-run.js";
import { planConfig } from "../../packages/cli/src/planning/plan-stages.js";
import { root, type CodeBlock } from "./blocks.js";

/**
 * What `yaml config` says in its info string: `expects=rule[:severity],rule`, `expects=none`,
 * `trains=component,component`.
 */
export interface Expectation {
  /** `rule severity` for what names a severity, else `rule`. */
  readonly rules: readonly string[];
  readonly trains?: readonly string[];
}

/** Blocks that are configs, with what their page says about them. */
export function configBlocks(
  blocks: readonly CodeBlock[],
): readonly { readonly block: CodeBlock; readonly expected: Expectation }[] {
  return blocks
    .filter(({ language, tags }) => language === "yaml" && tags.includes("config"))
    .map((block) => {
      const tag = (name: string) =>
        block.tags
          .find((one) => one.startsWith(`${name}=`))
          ?.slice(name.length + 1)
          .split(",");
      const rules = tag("expects") ?? ["none"];
      return {
        block,
        expected: {
          rules: rules[0] === "none" ? [] : rules.map((rule) => rule.replace(":", " ")),
          trains: tag("trains"),
        },
      };
    });
}

/**
 * Plans a config text in a folder of its own, as `thaw check` would, of its stages the first; `./checkpoint` is a small
 * LLaVA model, and the default.
 */
export async function planConfigText(text: string): Promise<Planning> {
  const folder = await mkdtemp(join(tmpdir(), "thaw-docs-"));
  try {
    await symlink(join(root, "test/fixtures/goldens/llava"), join(folder, "checkpoint"));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    await mkdir(join(folder, "images"));
    await writeFile(join(folder, "thaw.yaml"), /^model:/m.test(text) ? text : `${text}model: ./checkpoint\n`);
    const { runs, findings } = await planConfig(await loadConfig(join(folder, "thaw.yaml"), { folder }));
    return { ...runs[0]!.planning, findings };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
