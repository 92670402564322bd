import type * as tf from "@tensorflow/tfjs-core";
import { homedir } from "node:os";
import { join } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { addonSourcesHash } from "../install/addons.js";
import { runCommand } from "../install/command.js";
import { CompiledFunctions, type FunctionBackend } from "./functions.js";

/** A backend whose operations add up what they read: `Double(x) = x + x`. */
class AddingBackend implements FunctionBackend {
  readonly values = new Map<number, number>();
  readonly functions = new Map<string, number>();
  readonly calls: string[] = [];
  readonly tensorMap = new Map<object, object>();
  #next = 0;
  binding = {
    TF_ATTR_STRING: 0,
    TF_ATTR_INT: 1,
    TF_ATTR_FLOAT: 2,
    TF_ATTR_BOOL: 3,
    TF_ATTR_TYPE: 4,
    TF_ATTR_SHAPE: 5,
    executeOp: (name: string, _attributes: unknown, inputs: readonly number[], outputs: number) => {
      this.calls.push(name);
      const sum = inputs.reduce((total, id) => total + this.values.get(id)!, 0);
      return Array.from({ length: outputs }, () => ({ id: this.add(sum), shape: [], dtype: 1 }));
    },
    createTensor: () => this.add(0),
    deleteTensor: (id: number) => void this.values.delete(id),
  };

  add(value: number): number {
    this.values.set(this.#next, value);
    return this.#next++;
  }

  getInputTensorIds(tensors: readonly tf.Tensor[]): number[] {
    return tensors.map((tensor) => (tensor as unknown as { readonly number: number }).number);
  }

  createOutputTensor({ id }: { readonly id: number }): tf.Tensor {
    return this.tensor(id);
  }

  tensor(id: number, shape: readonly number[] = []): tf.Tensor {
    return { number: id, shape, dtype: "float32", dataId: { id } } as unknown as tf.Tensor;
  }
}

describe("functions", () => {
  const setUp = (options: { readonly fails?: boolean; readonly kept?: Set<string> } = {}) => {
    let now = 0;
    const [backend, problems, added]: [AddingBackend, string[], string[]] = [new AddingBackend(), [], []];
    const functions = new CompiledFunctions(
      backend,
      (name) => {
        if (options.fails === true) throw new Error("no compiler");
        added.push(name);
      },
      {
        onProblem: (message) => problems.push(message),
        now: () => now,
        ...(options.kept && { kept: options.kept }),
      },
    );
    /** Whether a function was there for a pass with inputs of that shape. */
    const pass = (...shapes: readonly (readonly number[])[]): boolean[] => {
      const found = shapes.map((shape) => {
        const x = backend.tensor(backend.add(3), shape);
        return (
          functions.get(`double#${shape.join()}`, [x], (compile) =>
            compile([x], () => [
              backend.tensor(backend.binding.executeOp("Double", [], backend.getInputTensorIds([x, x]), 1)[0]!.id),
            ]),
          ) !== undefined
        );
      });
      // Operation by operation, a stretch takes 10 ms of the clock.
      found.forEach((isThere) => {
        if (isThere) return;
        now += 10;
        functions.ran();
      });
      functions.endPass();
      return found;
    };
    return { backend, functions, problems, added, pass };
  };

  it("are made when shapes come a second time, and later where earlier ones went out of use", () => {
    const { added, pass } = setUp();
    expect(pass([2], [2])).toEqual([false, false]);
    expect(pass([2], [2])).toEqual([true, true]);
    expect(pass([2], [3])).toEqual([true, false]);
    expect(pass([2], [3])).toEqual([true, true]);
    // Neither is used any more: the next shapes must come twice more.
    expect([pass([4]), pass([4]), pass([4]), pass([4])].flat()).toEqual([false, false, false, true]);
    expect(added).toHaveLength(3);
  });

  it("are made where they are worth their time, which is little where an earlier run compiled them", () => {
    const kept = new Set<string>();
    const first = setUp({ kept });
    first.functions.isSelective = true;
    // 10 ms per pass, of which 5 are saved, against 1500: after 300 passes.
    const answers = Array.from({ length: 310 }, () => first.pass([2])[0]!);
    expect(answers.indexOf(true)).toBe(300);
    expect(kept.size).toBe(1);
    const second = setUp({ kept });
    second.functions.isSelective = true;
    const sooner = Array.from({ length: 40 }, () => second.pass([2])[0]!);
    expect(sooner.indexOf(true)).toBe(30);
    const short = setUp({ kept });
    short.functions.isSelective = true;
    short.functions.expect(10, 1);
    expect(Array.from({ length: 40 }, () => short.pass([2])[0])).not.toContain(true);
  });

  it("are made in the same call by processes that train together, whatever was kept, timed or passed", () => {
    const made = [setUp(), setUp({ kept: new Set() })].map(({ backend, functions }, rank) => {
      functions.isSelective = true;
      functions.expect(1000, 2);
      return Array.from({ length: 4 }, () => {
        const x = backend.tensor(backend.add(3), [2]);
        const run = (): tf.Tensor[] => [
          backend.tensor(backend.binding.executeOp("Double", [], backend.getInputTensorIds([x, x]), 1)[0]!.id),
        ];
        const found = functions.get("norm", [x], (compile) => compile([x], run), true) !== undefined;
        if (!found) functions.ran();
        // The second process had a micro-batch more, or none
        if (rank === 0) functions.endPass();
        return found;
      });
    });
    expect(made).toEqual([
      [false, true, true, true],
      [false, true, true, true],
    ]);
  });

  it("run by name, and of precisions each has its own", () => {
    const { backend, functions, added } = setUp();
    functions.patience = 1;
    const x = backend.tensor(backend.add(3), [2]);
    const make = (): { call(inputs: readonly tf.Tensor[]): tf.Tensor[]; readonly reads: readonly boolean[] } =>
      functions.get("double", [x, x], (compile) =>
        compile([x, x], () => [
          backend.tensor(backend.binding.executeOp("Double", [], backend.getInputTensorIds([x, x]), 1)[0]!.id),
        ]),
      )!;
    const double = make();
    expect(double.reads).toEqual([true, false]);
    double.call([x, x]);
    expect(backend.calls.at(-1)).toBe(added[0]);
    functions.precision = "tf32 ";
    expect(make()).not.toBe(double);
    functions.precision = "";
    expect(make()).toBe(double);
  });

  it("are given up where the first one fails, which is said once", () => {
    const { functions, problems, pass } = setUp({ fails: true });
    functions.patience = 1;
    expect([pass([2]), pass([3]), pass([2])].flat()).toEqual([false, false, false]);
    expect(problems).toEqual(["no compiler"]);
  });
});

/** The processor's library, where a user of this machine has installed it with the functions of this version. */
const cache = [join(homedir(), ".cache", "thaw")].find((folder) => {
  const manifest = join(folder, "backends/native/manifest.json");
  if (!existsSync(manifest)) return false;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { readonly sources?: string }).sources === addonSourcesHash();
});

describe.runIf(cache !== undefined)("with TensorFlow's library", () => {
  let lines: { readonly name: string; readonly error: number; readonly made: number }[] = [];
  beforeAll(async () => {
    const { stdout, stderr } = await runCommand(process.execPath, [
      join(import.meta.dirname, "../../test/compare-functions.mjs"),
      cache!,
    ]);
    lines = stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as (typeof lines)[number]);
    expect(lines.length, stderr).toBeGreaterThan(0);
  });

  it("gives what operations give", () => {
    for (const { name, error, made } of lines) {
      expect(error, name).toBeLessThan(2e-5);
      expect(made, name).toBeGreaterThan(0);
    }
  });
});
