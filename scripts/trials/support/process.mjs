import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("child.mjs", import.meta.url));

/** Starts `child.mjs`; `onEvent` is told every line, and the process. Gives exit code, signal and events. */
export async function runChild(given, { onEvent = () => {}, wrap = (command) => command, env = {} } = {}) {
  const [command, ...args] = wrap([process.execPath, child, JSON.stringify(given)]);
  return follow(spawn(command, args, { env: { ...process.env, ...env } }), onEvent);
}

/** Reads a process's JSON lines until it ends. */
export async function follow(running, onEvent) {
  const events = [];
  let [rest, err] = ["", ""];
  running.stdout.on("data", (chunk) => {
    const lines = `${rest}${chunk}`.split("\n");
    rest = lines.pop();
    for (const line of lines.filter((text) => text.startsWith("{"))) {
      const event = JSON.parse(line);
      events.push(event);
      onEvent(event, running);
    }
  });
  running.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const [code, signal] = await once(running, "close");
  return { code, signal, events, err, last: events.at(-1) };
}

/** The run folder below `output`: there is at most one. */
export async function runIn(output) {
  const names = (await readdir(output).catch(() => [])).filter((name) => name.startsWith("run"));
  return names.length === 0 ? undefined : join(output, names.toSorted().at(-1));
}

/** Hashes of all that was trained, by place in the run folder; a stage that was begun anew has a number behind it. */
export async function resultOf(run) {
  const files = (await readdir(run, { recursive: true })).filter((name) =>
    /(^|\/)final\/trained\.safetensors$/.test(name),
  );
  const hashes = await Promise.all(
    files.toSorted().map(async (name) => [
      name.replace(/^(\d+-[a-z]+)-\d+\//, "$1/"),
      createHash("sha256")
        .update(await readFile(join(run, name)))
        .digest("hex"),
    ]),
  );
  return JSON.stringify(hashes);
}

/** Checkpoint folders that lack a file. */
export async function halfCheckpoints(run) {
  const names = await readdir(run, { recursive: true });
  return names
    .filter((name) => /(^|\/)checkpoints\/step-\d+$/.test(name))
    .filter(
      (name) =>
        !["state.json", "trained.safetensors", "optimizer.safetensors"].every((file) =>
          names.includes(join(name, file)),
        ),
    );
}
