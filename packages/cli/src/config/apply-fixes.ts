import { applyEdits } from "@thaw/config";
import { append, type Edit, type Finding } from "@thaw/core";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { cannotFix } from "../errors.js";

/** How many findings an edited file lost. */
export interface FixedFile {
  readonly file: string;
  readonly count: number;
}

/**
 * Applies the findings' safe edits to their YAML and JSON files, which are replaced as a whole or not at all. Files in
 * code are left alone.
 * @throws THAW_CLI_CANNOT_FIX where a file cannot be written
 */
export async function applyFixes(findings: readonly Finding[]): Promise<readonly FixedFile[]> {
  const byFile = new Map<string, Edit[]>();
  for (const { edit } of findings)
    if (edit !== undefined && /\.(ya?ml|json)$|rc$/.test(edit.file)) append(byFile, edit.file, edit);
  const fixed: FixedFile[] = [];
  for (const [file, edits] of byFile) {
    const { text, done } = applyEdits(await readFile(file, "utf8"), edits);
    if (done.length === 0) continue;
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await writeFile(temporary, text);
      await rename(temporary, file);
    } catch (cause) {
      await rm(temporary, { force: true });
      throw cannotFix(file, cause);
    }
    fixed.push({ file, count: done.length });
  }
  return fixed;
}
