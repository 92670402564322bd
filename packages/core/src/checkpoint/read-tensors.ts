import { join } from "node:path";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { nearestNames } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import type { Optimizer } from "../api/optimizer.js";
import { checkpointBroken, parametersUnfit } from "../errors/files.js";
import type { ParameterStore } from "../weights/parameter-store.js";
import { checkFinite } from "../weights/check-finite.js";
import { OPTIMIZER_FILE } from "./write-checkpoint.js";

/**
 * Puts the parameters of a file (a checkpoint's or a finished run's) into the store, one at a time on the host, and
 * returns their canonical names. Names and shapes are compared before the first is set; `expected` must all be there.
 * @throws THAW_CORE_PARAMETERS_UNFIT, THAW_CORE_PARAMETER_NOT_FINITE, THAW_SAFETENSORS_*
 */
export async function readParameters(
  file: string,
  store: ParameterStore,
  expected: Iterable<string> = [],
): Promise<ReadonlySet<string>> {
  const reader = await openSafetensors(file);
  try {
    checkParameters(file, reader, store, expected);
    const names = [...reader.entries.keys()];
    for (const name of names) store.set(name, await reader.readFloat32(name), file);
    return new Set(names.map((name) => store.canonical(name)));
  } finally {
    await reader.close();
  }
}

/** Reads all values once and keeps none: afterwards {@link readParameters} finds what it was promised. */
export async function proveParameters(file: string, store: ParameterStore): Promise<void> {
  const reader = await openSafetensors(file);
  try {
    checkParameters(file, reader, store, []);
    for (const name of reader.entries.keys()) checkFinite(name, await reader.readFloat32(name), file);
  } finally {
    await reader.close();
  }
}

/** What slots are compared with. */
export interface SlotExpectation {
  readonly optimizer: Pick<Optimizer, "name" | "slotShapes">;
  /** Parameters whose slots are wanted; those of others are left out. */
  readonly trained: ReadonlySet<string>;
  /** Updates by parameter when the slots were written. */
  readonly updates: Readonly<Record<string, number>>;
  readonly shapeOf: (parameter: string) => readonly number[];
}

/**
 * Reads optimizer slots; the caller owns the tensors. Names and shapes are compared before the first is read.
 * @throws THAW_CORE_CHECKPOINT_BROKEN, THAW_SAFETENSORS_*
 */
export async function readSlots(folder: string, expectation: SlotExpectation): Promise<ReadonlyMap<string, Tensor>> {
  const slots = new Map<string, Tensor>();
  const file = join(folder, OPTIMIZER_FILE);
  const reader = await openSafetensors(file);
  try {
    const wanted = [...reader.entries.values()].filter(({ name }) => expectation.trained.has(parameterOf(name)));
    checkSlots(file, new Map(wanted.map(({ name, shape }) => [name, shape])), expectation);
    for (const { name, shape } of wanted)
      slots.set(name, tf.tensor(await reader.readFloat32(name), [...shape], "float32"));
    return slots;
  } catch (error) {
    tf.dispose([...slots.values()]);
    throw error;
  } finally {
    await reader.close();
  }
}

function checkParameters(
  file: string,
  { entries }: SafetensorsReader,
  store: ParameterStore,
  expected: Iterable<string>,
): void {
  const problems: string[] = [];
  const held = new Set<string>();
  for (const { name, shape } of entries.values()) {
    if (!store.has(name)) {
      const nearest = nearestNames(name, store.names);
      problems.push(`there is no parameter ${name}${nearest.length > 0 ? ` (nearest: ${nearest.join(", ")})` : ""}`);
      continue;
    }
    held.add(store.canonical(name));
    const wanted = store.shape(name);
    if (shape.join() !== wanted.join())
      problems.push(`${name} has the shape [${shape.join(", ")}], and is [${wanted.join(", ")}] here`);
  }
  for (const name of expected) if (!held.has(store.canonical(name))) problems.push(`it lacks ${name}`);
  if (entries.size === 0) problems.push("it holds no tensor");
  if (problems.length > 0) throw parametersUnfit(file, problems);
}

/** An optimizer that does not say which slots it keeps is told of all. */
function checkSlots(
  file: string,
  found: ReadonlyMap<string, readonly number[]>,
  { optimizer, trained, updates, shapeOf }: SlotExpectation,
): void {
  if (optimizer.slotShapes === undefined) return;
  const known = new Map([...trained].flatMap((name) => [...optimizer.slotShapes!(name, shapeOf(name))]));
  for (const [slot, shape] of found) {
    const wanted = known.get(slot);
    if (wanted === undefined) throw checkpointBroken(file, `the optimizer ${optimizer.name} keeps no slot ${slot}`);
    if (shape.join() !== wanted.join())
      throw checkpointBroken(file, `the slot ${slot} has the shape [${shape.join(", ")}], not [${wanted.join(", ")}]`);
  }
  for (const slot of known.keys())
    if ((updates[parameterOf(slot)] ?? 0) > 0 && !found.has(slot))
      throw checkpointBroken(file, `it lacks the slot ${slot}, of a parameter that was updated`);
}

function parameterOf(slot: string): string {
  return slot.slice(0, slot.lastIndexOf("/"));
}
