import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ThawError, Trainer } from "../../packages/core/dist/index.js";
import { openModel } from "../../packages/models/dist/index.js";
import { freezePolicy } from "../../packages/plugin-freeze-policy/dist/index.js";
import { lora } from "../../packages/plugin-lora/dist/index.js";
import { runDifference, runTiny, tinyTrainerOptions } from "../../packages/testing/dist/index.js";
import { damageAtRandom } from "./support/damages.mjs";

/** Files of a small real run are damaged, and whoever reads them goes on. */
export const count = 400;

const golden = fileURLToPath(new URL("../../test/fixtures/goldens/llava", import.meta.url));
const freeze = {
  freezeMultiModalProjector: false,
  components: { language_model: { lora: { rank: 2, targetModules: ["q_proj", "down_proj"] } } },
};
const plugins = (options) => [freezePolicy(freeze), lora(options)];
const training = { maxSteps: 6, saveEverySteps: 2, evaluateEverySteps: undefined };

/** A run with adapters that was stopped after step 4 of 6, what it would have become, and what it hands over. */
export async function setUp(folder) {
  await setBackend("cpu");
  const output = join(folder, "runs");
  const whole = await runTiny(tinyTrainerOptions({ output, plugins: plugins(), training }));
  const run = join(output, (await readdir(output))[0]);
  const stopped = join(folder, "stopped");
  await cp(run, stopped, { recursive: true });
  await rm(join(stopped, "final"), { recursive: true });
  await rm(join(stopped, "checkpoints/step-6"), { recursive: true });
  const exported = join(folder, "exported");
  const model = await openModel(golden);
  await model.save(exported, async (name) => (await modelValues(model, [name])).get(name));
  return {
    whole,
    resume: { folder: stopped, inside: "checkpoints/step-4", use: resume },
    run: { folder: stopped, inside: ".", only: ["config.json", "plan.json", "thaw-manifest.json"], use: resume },
    final: { folder: join(run, "final"), inside: ".", use: loadFinal, wanted: await loadFinal(join(run, "final")) },
    handover: { folder: join(run, "final"), inside: ".", use: startFrom, wanted: await startFrom(join(run, "final")) },
    adapter: {
      folder: join(run, "final/adapter"),
      inside: ".",
      use: startAdapter,
      wanted: await startAdapter(join(run, "final/adapter")),
    },
    exported: { folder: exported, inside: ".", use: openExported, wanted: await openExported(exported) },
  };
}

export async function attempt(context, { random, folder }) {
  const part = random.pick(["resume", "resume", "resume", "run", "final", "handover", "adapter", "exported"]);
  const { folder: from, inside, only, use, wanted } = context[part];
  const copy = join(folder, "copy");
  await cp(from, copy, { recursive: true });
  const files = await readdir(join(copy, inside), { withFileTypes: true });
  const names = only ?? files.filter((file) => file.isFile()).map(({ name }) => name);
  const damage = await damageAtRandom(join(copy, inside), names, random);
  const what = `${damage.kind} of ${damage.files.join(" and ")}`;
  let result;
  try {
    result = await use(copy);
  } catch (error) {
    return judgeError(error, damage, what, part === "resume" ? { copy, context } : undefined);
  }
  const isEqual = use === resume ? runDifference(result, tail(context.whole, 4)) === 0 : result === wanted;
  return isEqual ? { outcome: "survived" } : { outcome: "silent", note: what };
}

/** An error is right if it is Thaw's and names a damaged file; where a checkpoint is whole, it is offered. */
async function judgeError(error, damage, what, run) {
  if (!(error instanceof ThawError)) return { outcome: "crashed", note: `${what}: ${error.stack}` };
  const isNamed = damage.files.some((file) => error.message.includes(file));
  if (!isNamed) return { outcome: "crashed", note: `${what} is not named: ${error.message}` };
  if (run === undefined) return { outcome: "survived" };
  const offered = error.details.whole;
  if (offered !== join(run.copy, "checkpoints/step-2"))
    return { outcome: "lost", note: `${what}: ${String(offered)} is offered` };
  const resumed = await resume(offered);
  return runDifference(resumed, tail(run.context.whole, 2)) === 0
    ? { outcome: "survived" }
    : { outcome: "lost", note: `${what}: the checkpoint that is offered leads elsewhere` };
}

function resume(from) {
  return runTiny(tinyTrainerOptions({ plugins: plugins(), training, resume: { from } }));
}

/** A run as one that went on after a step sees it. */
function tail(run, step) {
  return { ...run, losses: run.losses.slice(step) };
}

async function loadFinal(folder) {
  const session = await new Trainer(tinyTrainerOptions({ plugins: plugins() })).open();
  try {
    await session.loadParameters(join(folder, "trained.safetensors"));
    return await valuesOf(session);
  } finally {
    await session.close();
  }
}

async function startFrom(folder) {
  const options = tinyTrainerOptions({ plugins: plugins(), startFrom: join(folder, "trained.safetensors") });
  const session = await new Trainer(options).open();
  try {
    return await valuesOf(session);
  } finally {
    await session.close();
  }
}

async function startAdapter(folder) {
  const session = await new Trainer(tinyTrainerOptions({ plugins: plugins({ adapter: folder }) })).open();
  try {
    return await valuesOf(session);
  } finally {
    await session.close();
  }
}

async function openExported(folder) {
  const model = await openModel(folder);
  const names = model.parameters.map(({ name }) => name);
  return textOf(await modelValues(model, names));
}

async function modelValues(model, names) {
  const values = new Map();
  for await (const item of model.load(names)) values.set(item.name, item.values);
  return values;
}

async function valuesOf(session) {
  const values = new Map();
  for (const { name } of session.planned.parameters) values.set(name, await session.readParameter(name));
  return textOf(values);
}

function textOf(values) {
  return [...values].map(([name, { buffer }]) => `${name} ${Buffer.from(buffer).toString("base64")}`).join("\n");
}
