import { Trainer, type Session } from "@thaw/core";
import { backendGpu } from "@thaw/backend-gpu";
import freezePolicy from "@thaw/plugin-freeze-policy";
import { withTempFolder } from "@thaw/testing";
import { expect, it } from "vitest";
import { openContractModel } from "./family.js";
import { PROJECTORS, type Backend } from "./run.js";
import { contractBatch } from "./source.js";

const PROMPTS = [0, 1, 2, 3, 4, 5];

async function withSession<T>(backend: Backend, use: (session: Session) => Promise<T>): Promise<T> {
  return withTempFolder(async (folder) => {
    const model = await openContractModel(folder);
    const session = await new Trainer({ model, plugins: [backendGpu(backend), freezePolicy(PROJECTORS)] }).open();
    try {
      return await use(session);
    } finally {
      await session.close();
    }
  });
}

it.each(["cpu", "wasm"] as const)("writes on %s with what layers remember what full passes write", async (backend) => {
  await withSession(backend, async (session) => {
    const written = await session.generate(contractBatch(PROMPTS, true), { maxNewTokens: 8 });
    expect(new Set(written.map((ids) => ids.join())).size).toBeGreaterThan(1);
    for (const [row, ids] of written.entries()) {
      // A full pass for each token: an answer of one token to the prompt with all tokens before it.
      for (const [at, id] of ids.entries())
        expect(
          await session.generate(contractBatch([PROMPTS[row]!], true, "right", ids.slice(0, at)), { maxNewTokens: 1 }),
        ).toEqual([[id]]);
    }
  });
});

it("writes the same wherever the padding is, and for each sample what it gets alone", async () => {
  await withSession("cpu", async (session) => {
    const options = { maxNewTokens: 6 };
    const right = await session.generate(contractBatch(PROMPTS, true), options);
    expect(await session.generate(contractBatch(PROMPTS, true, "left"), options)).toEqual(right);
    for (const [row, index] of PROMPTS.entries())
      expect(await session.generate(contractBatch([index], true), options)).toEqual([right[row]]);
  });
});

it("draws the same tokens for a seed, and others for another one", async () => {
  await withSession("cpu", async (session) => {
    const draw = (seed: number): Promise<number[][]> =>
      session.generate(contractBatch(PROMPTS, true), {
        maxNewTokens: 6,
        sampling: { temperature: 1.2, topK: 20, seed },
      });
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(2)).not.toEqual(await draw(1));
  });
});
