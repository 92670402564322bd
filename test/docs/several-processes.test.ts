import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { expect, it } from "vitest";
import { placeOf, type Environment } from "../../packages/cli/src/processes/place.js";
import { root } from "./blocks.js";

const read = (name: string): string => readFileSync(join(root, "docs/several-processes", name), "utf8");

/** Variables that a script exports, with stand-ins for what the shell would fill in. */
function exported(script: string): Environment {
  const lines = script.matchAll(/^export (\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name!, /[$(]/.test(value!) ? "1234" : value!]));
}

/** The command that a script ends with, as words. */
function commandOf(script: string): readonly string[] {
  return script.trim().split("\n").at(-1)!.split(" ");
}

const OPTIONS = ["--wait", "--engine", "--resume", "--set"];

function expectTrains(words: readonly string[]): void {
  expect(words.slice(words.indexOf("npx")).slice(0, 4)).toEqual(["npx", "thaw", "train", "thaw.config.yaml"]);
  for (const word of words.filter((one) => one.startsWith("--") && words.indexOf(one) > words.indexOf("npx")))
    expect(OPTIONS).toContain(word);
}

it("slurm.sh asks for tasks, and gives each all that it needs to find the others", () => {
  const script = read("slurm.sh");
  const asked = Object.fromEntries(
    [...script.matchAll(/^#SBATCH --([\w-]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(asked).toMatchObject({ nodes: "2", "ntasks-per-node": "4", signal: "TERM@120" });
  const srun = { SLURM_PROCID: "5", SLURM_NTASKS: "8", SLURM_LOCALID: "1", SLURM_STEP_ID: "0" };
  expect(placeOf({ ...exported(script), ...srun })).toEqual({
    rank: 5,
    size: 8,
    localRank: 1,
    address: "1234",
    port: 1234,
    token: "1234",
  });
  expect(commandOf(script)[0]).toBe("srun");
  expectTrains(commandOf(script));
});

it("hosts.sh and mpi.sh start processes that find each other", () => {
  const hosts = read("hosts.sh");
  const environment = { ...exported(hosts), RANK: "1", THAW_TOKEN: "secret" };
  expect(placeOf(environment)).toMatchObject({ rank: 1, size: 2, localRank: 0, port: 29_500, token: "secret" });
  expectTrains(commandOf(hosts));
  expect(commandOf(read("mpi.sh")).slice(0, 3)).toEqual(["mpirun", "-n", "4"]);
  expectTrains(commandOf(read("mpi.sh")));
});

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

it("kubernetes.yaml is a job whose pods have numbers, a name to meet at, and a secret", () => {
  const [service, job] = parseAllDocuments(read("kubernetes.yaml")).map(
    (document) => document.toJS() as Record<string, never>,
  ) as unknown as [
    { readonly metadata: { readonly name: string }; readonly spec: Readonly<Record<string, unknown>> },
    {
      readonly metadata: { readonly name: string };
      readonly spec: Readonly<Record<string, unknown>> & {
        readonly template: {
          readonly spec: {
            readonly subdomain: string;
            readonly containers: readonly { readonly command: readonly string[]; readonly env: readonly Variable[] }[];
          };
        };
      };
    },
  ];
  const { name } = job.metadata;
  expect(service.spec).toMatchObject({ clusterIP: "None", selector: { "job-name": name } });
  expect(job.spec).toMatchObject({ completionMode: "Indexed", completions: 4, parallelism: 4, backoffLimit: 0 });
  const { subdomain, containers } = job.spec.template.spec;
  expect(subdomain).toBe(service.metadata.name);
  const { env, command } = containers[0]!;
  const environment = Object.fromEntries(env.map((one) => [one.name, one.value ?? "3"]));
  expect(placeOf(environment)).toEqual({
    rank: 3,
    size: 4,
    address: `${name}-0.${subdomain}`,
    port: 29_500,
    token: "3",
  });
  expect(service.spec["ports"]).toEqual([{ name: "rendezvous", port: 29_500 }]);
  expect(env.find((one) => one.name === "THAW_TOKEN")!.valueFrom).toMatchObject({ secretKeyRef: { key: "token" } });
  expectTrains(command);
});
