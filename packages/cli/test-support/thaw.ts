import { openSafetensors } from "@thaw/core";
import { main } from "../src/main.js";
import { memoryTerminal } from "../src/terminal/terminal.js";

/** What a command left. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in this process, 120 columns wide. */
export async function thaw(...args: readonly string[]): Promise<Ran> {
  return thawReading("", ...args);
}

/** As `thaw`, with `input` piped in. */
export async function thawReading(input: string, ...args: readonly string[]): Promise<Ran> {
  const terminal = memoryTerminal(120, input);
  const code = await main(args, terminal);
  return { code, out: terminal.outText(), err: terminal.errText() };
}

/** One tensor of a safetensors file. */
export async function readTensor(file: string, name: string): Promise<Float32Array> {
  const reader = await openSafetensors(file);
  try {
    return await reader.readFloat32(name);
  } finally {
    await reader.close();
  }
}
