import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openSafetensors, writeSafetensors } from "@thaw/safetensors";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = join(root, "packages/cli/bin/thaw.js");
const checkpoint = join(root, "test/fixtures/goldens/llava");

/** What a command did. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a tiny checkpoint, two pictures, a JSONL of captions and a config that trains the projector. */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "thaw-bad-"));

  constructor() {
    cpSync(checkpoint, join(this.folder, "model"), {
      recursive: true,
      filter: (path) => !/golden\.|\.png$/.test(path),
    });
    for (const name of ["image0.png", "image1.png"]) cpSync(join(checkpoint, name), join(this.folder, name));
    this.write(
      "train.jsonl",
      [0, 1, 0, 1].map((index) => JSON.stringify({ image: `image${index}.png`, caption: "a cat" })).join("\n"),
    );
    this.config("");
  }

  write(name: string, text: string | Uint8Array): void {
    mkdirSync(join(this.folder, name, ".."), { recursive: true });
    writeFileSync(join(this.folder, name), text);
  }

  /** Writes the config; `extra` are further lines of YAML. */
  config(extra: string, training = "max_steps: 3, micro_batch_size: 2"): void {
    this.write(
      "thaw.config.yaml",
      "model: ./model\ndata: { train: ./train.jsonl, workers: 0 }\nfreeze: { train_mm_proj_only: true " +
        `}\ntraining: { ${training} }\nbackend: wasm\nseed: 1\n${extra}`,
    );
  }

  /** Changes tensors of the checkpoint: `undefined` removes one, a shape misshapes it. */
  async tensors(changes: Readonly<Record<string, readonly number[] | undefined>>): Promise<void> {
    const file = join(this.folder, "model/model.safetensors");
    const reader = await openSafetensors(file);
    const kept = new Map<string, { readonly shape: readonly number[]; readonly values: Float32Array }>();
    for (const [name, { shape }] of reader.entries) {
      if (name in changes && changes[name] === undefined) continue;
      const wanted = changes[name] ?? shape;
      const values = await reader.readFloat32(name);
      kept.set(name, {
        shape: wanted,
        values: values.slice(
          0,
          wanted.reduce((product, length) => product * length, 1),
        ),
      });
    }
    await reader.close();
    await writeSafetensors(
      file,
      [...kept].map(([name, { shape }]) => ({ name, dtype: "F32" as const, shape })),
      (name) => kept.get(name)!.values,
    );
  }

  /** Runs `thaw` here. `onOutput` sees standard output as it comes. */
  run(
    args: readonly string[],
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly preload?: string;
      readonly onOutput?: (text: string, child: ChildProcess) => void;
    } = {},
  ): Promise<Outcome> {
    const preload = options.preload === undefined ? [] : ["--import", pathToFileURL(options.preload).href];
    const child = spawn(process.execPath, [...preload, bin, ...args], {
      cwd: this.folder,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      options.onOutput?.(stdout, child);
    });
    child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
  }

  /** Run folders that exist. */
  runs(): readonly string[] {
    const runs = join(this.folder, "runs");
    return existsSync(runs) ? readdirSync(runs).map((name) => join(runs, name)) : [];
  }

  /** Every file below a folder, relative to it. */
  files(folder: string): readonly string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  }

  read(path: string): Buffer {
    return readFileSync(join(this.folder, path));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
