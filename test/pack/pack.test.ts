import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}
interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: readonly Packed[];
let manifests: ReadonlyMap<string, Manifest>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-pack-"));
  const names = await readdir(join(root, "packages"));
  const read = await Promise.all(
    names.map(
      async (name) => JSON.parse(await readFile(join(root, "packages", name, "package.json"), "utf8")) as Manifest,
    ),
  );
  manifests = new Map(read.map((manifest) => [manifest.name, manifest]));
  const workspaces = names.flatMap((name) => ["-w", `packages/${name}`]);
  const { stdout } = await run(
    "npm",
    ["pack", ...workspaces, "--pack-destination", folder, "--json", "--ignore-scripts"],
    { cwd: root, maxBuffer: 1 << 26 },
  );
  const answer = JSON.parse(stdout) as Packed[] | Record<string, Packed>;
  packed = Array.isArray(answer) ? answer : Object.values(answer);
  await installed(packed);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Installs the tarballs as a user would, from npm's cache where it has the rest. */
async function installed(tarballs: readonly Packed[]): Promise<void> {
  const app = join(folder, "app");
  await mkdir(app);
  const dependencies = Object.fromEntries(tarballs.map(({ name, filename }) => [name, `file:../${filename}`]));
  await writeFile(
    join(app, "package.json"),
    JSON.stringify({ name: "app", private: true, type: "module", dependencies }),
  );
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], {
    cwd: app,
    maxBuffer: 1 << 26,
  });
}

const targets = (manifest: Manifest): string[] =>
  [...Object.values(manifest.exports), ...Object.values(manifest.bin ?? {})].flatMap((target) =>
    typeof target === "string" ? target : Object.values(target),
  );

describe("packed packages", () => {
  it("are all packages, and hold what their exports and bins name, with sources but no tests", () => {
    expect(packed.map(({ name }) => name).toSorted()).toEqual([...manifests.keys()].toSorted());
    for (const { name, files } of packed) {
      const paths = files.map(({ path }) => path);
      for (const target of targets(manifests.get(name)!))
        if (!target.includes("*")) expect(paths, name).toContain(target.replace(/^\.\//, ""));
      // A template's tests are what it is for.
      expect(
        paths.filter((path) => /^(?!template\/).*\.test(-d)?\.|tsbuildinfo|\.log$/.test(path)),
        name,
      ).toEqual([]);
      // Every source comes with what was built from it, and the other way round source maps find it: dist/a/b.js.map
      // names src/a/b.ts.
      for (const source of paths.filter((path) => /^src\/.*(?<!\.d)\.ts$/.test(path)))
        expect(paths, name).toContain(source.replace(/^src\//, "dist/").replace(/\.ts$/, ".js.map"));
    }
  });

  it("are public, under one licence and one version, and share one TensorFlow.js", () => {
    const versions = new Set([...manifests.values()].map(({ version }) => version));
    expect(versions.size).toBe(1);
    for (const {
      name,
      license,
      private: isPrivate,
      type,
      dependencies = {},
      peerDependencies = {},
    } of manifests.values()) {
      expect([license, isPrivate ?? false, type], name).toEqual(["Apache-2.0", false, "module"]);
      for (const [dependency, range] of Object.entries(dependencies))
        if (manifests.has(dependency)) expect(range, `${name} needs ${dependency}`).toBe([...versions][0]);
      // The command is an application and brings it; everything else takes the one that is there.
      const core = "@tensorflow/tfjs-core";
      if (name !== "@thaw/cli") expect(core in dependencies, name).toBe(false);
      if (name !== "@thaw/cli" && core in peerDependencies) expect(peerDependencies[core], name).toBe("^4.22.0");
    }
  });

  it("name every package that they import", async () => {
    for (const { name, files } of packed) {
      const { dependencies = {}, peerDependencies = {} } = manifests.get(name)!;
      const base = join(folder, "app/node_modules", name);
      const sources = await Promise.all(
        files
          .filter(({ path }) => /^(dist|bin)\/.*\.js$/.test(path))
          .map(({ path }) => readFile(join(base, path), "utf8")),
      );
      const imports = sources.flatMap((source) =>
        [
          ...source.matchAll(/^\s*(?:import|export)\s[^"'`;]*?from\s+"([^".][^"]*)"/gm),
          ...source.matchAll(/^import\s+"([^".][^"]*)"|\bimport\("([^".][^"]*)"\)/gm),
        ].map((match) => match[1] ?? match[2]!),
      );
      const names = new Set<string>(
        imports
          .filter((specifier) => !specifier.startsWith("node:"))
          .map((specifier) =>
            specifier
              .split("/")
              .slice(0, specifier.startsWith("@") ? 2 : 1)
              .join("/"),
          ),
      );
      for (const imported of names)
        if (imported !== name)
          expect(imported in dependencies || imported in peerDependencies, `${name} imports ${imported}`).toBe(true);
    }
  });

  it("install without a second TensorFlow.js, and every public entry can be imported", async () => {
    const app = join(folder, "app");
    for (const name of manifests.keys())
      expect(existsSync(join(app, "node_modules", name, "node_modules/@tensorflow/tfjs-core")), name).toBe(false);
    const entries = [...manifests.values()].flatMap(({ name, exports }) =>
      Object.keys(exports)
        .filter((key) => key !== "./package.json" && !key.includes("*"))
        .map((key) => name + key.slice(1)),
    );
    expect(entries.length).toBeGreaterThanOrEqual(
      [...manifests.values()].filter(({ exports }) => "." in exports).length,
    );
    const script =
      `for (const entry of ${JSON.stringify(entries)}) { await import(entry).catch((error) => { throw new ` +
      `Error(entry + ": " + error.stack); }); }`;
    await run(process.execPath, ["--input-type=module", "-e", script], { cwd: app });
  });

  it("bring the thaw command", async () => {
    const { stdout } = await run("npx", ["--no-install", "thaw", "--help"], { cwd: join(folder, "app") });
    for (const command of ["train", "plan", "check", "evaluate", "caption", "chat"]) expect(stdout).toContain(command);
  });

  it("create plugins outside the repository that compile, pass their tests and run from one config", async () => {
    const app = join(folder, "app");
    const modules = join(app, "node_modules");
    // Tools that a plugin's author has; Thaw itself is what was packed.
    for (const name of ["typescript", "vitest", "@types/node"]) {
      await mkdir(dirname(join(modules, name)), { recursive: true });
      if (!existsSync(join(modules, name))) await symlink(join(root, "node_modules", name), join(modules, name));
    }
    for (const kind of PLUGIN_KINDS) {
      await run(join(modules, ".bin/create-thaw-plugin"), [`plugins/own-${kind}`, "--kind", kind], { cwd: app });
      await symlink(join(app, `plugins/own-${kind}`), join(modules, `thaw-plugin-own-${kind}`));
    }
    const folders = PLUGIN_KINDS.map((kind) => `plugins/own-${kind}`);
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", ...folders], { cwd: app });
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    // From the folder above, so that no plugin's own vitest.config.ts is read
    const patience = ["--testTimeout", "400000", "--hookTimeout", "400000"];
    await run(
      process.execPath,
      [vitest, "run", "--no-isolate", "--no-file-parallelism", "--dir", "plugins", ...patience],
      { cwd: app },
    );
    await prepareRun(app);
    const thaw = (...args: readonly string[]) => run(join(modules, ".bin/thaw"), args, { cwd: app });
    const { stdout } = await thaw("train");
    expect(stdout).toContain("2 of 2 steps had gradients longer than");
    const [name] = await readdir(join(app, "runs"));
    expect(await readFile(join(app, "runs", name!, "trackers/own-tracker/losses.txt"), "utf8")).toMatch(
      /^1 .*\n2 .*\n$/,
    );
    expect(await readFile(join(app, "runs", name!, "metrics.jsonl"), "utf8")).toMatch(
      /"captions\/own".*"own-metric":\d/,
    );
    expect((await thaw("own-command", `runs/${name!}`)).stdout).toMatch(/^Step \d had the lowest loss/);
  });
});

/** Of every kind that a plugin can be. */
const PLUGIN_KINDS = ["hooks", "rule", "family", "format", "metric", "tracker", "optimizer", "command"];

/** A checkpoint of the family's type, data of the format, and a config that uses everything. */
async function prepareRun(app: string): Promise<void> {
  const checkpoint = join(app, "checkpoint");
  await cp(join(root, "examples/emoji-captioner/checkpoint"), checkpoint, { recursive: true });
  const config = await readFile(join(checkpoint, "config.json"), "utf8");
  await writeFile(join(checkpoint, "config.json"), config.replace('"llava"', '"own_family"'));
  await cp(join(root, "examples/llava-two-stages/data/cactus.png"), join(app, "cactus.png"));
  await writeFile(join(app, "pairs.tsv"), "cactus.png\tcactus\n".repeat(4));
  await writeFile(
    join(app, "thaw.config.yaml"),
    [
      `plugins: [${PLUGIN_KINDS.map((kind) => `own-${kind}`).join(", ")}]`,
      "own_hooks: { limit: 1e-9 }",
      "model: ./checkpoint",
      "backend: wasm",
      "freeze: { train_mm_proj_only: true }",
      "data:",
      "  train: { type: own-format, path: ./pairs.tsv }",
      "  evaluation: { own: { type: own-format, path: ./pairs.tsv } }",
      "  metrics: [{ type: own-metric, words: 1 }]",
      "  max_new_tokens: 4",
      "training: { max_steps: 2, micro_batch_size: 2, learning_rate: 1e-4, optimizer: { type: own-optimizer } }",
      "checks: { rules: { own-rule-high-rate: error } }",
      "trackers: [{ type: own-tracker }]",
      "output: ./runs",
    ].join("\n"),
  );
}
