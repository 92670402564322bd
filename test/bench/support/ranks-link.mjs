/**
 * For `ranks.mjs`, in processes of their own: with a place, what a message and a byte cost between these processes;
 * without, the bytes of what trains.
 */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { connectProcesses } from "@thaw/plugin-processes";
import { median } from "./numbers.mjs";

const { place, size } = JSON.parse(process.argv[2]);
await tf.setBackend("cpu");
process.stdout.write(`${JSON.stringify(place === undefined ? await trained() : await link())}\n`);

async function link() {
  const ensemble = await connectProcesses(place);
  const timeOf = async (count) => {
    const times = [];
    for (let round = 0; round < 9; round += 1) {
      const given = new Map([["a", tf.zeros([count])]]);
      await ensemble.gather(round);
      const start = performance.now();
      const sums = await ensemble.sum(given);
      times.push(performance.now() - start);
      for (const one of sums.values()) one.dispose();
    }
    return [median(times), Math.min(...times)];
  };
  const small = await timeOf(1);
  const large = await timeOf(2 ** 22);
  await ensemble.close();
  const { size: count } = place;
  const bytes = (2 * (count - 1) * 2 ** 24) / count;
  // The fastest: what else the machine does is no part of the link
  return { ms: small[1] / (2 * (count - 1)), bytesPerMs: bytes / Math.max(0.001, large[1] - small[1]) };
}

async function trained() {
  const { openModel } = await import("@thaw/models");
  const { withModelFolder } = await import("./peer-shapes.mjs");
  const model = await withModelFolder(size, (folder) => openModel(folder, { initialize: "all", seed: 1 }), {});
  const bytesOf = (parameters) =>
    parameters.reduce((sum, { shape }) => sum + 4 * shape.reduce((product, one) => product * one, 1), 0);
  const isProjector = ({ name }) => name.includes("multi_modal_projector");
  return {
    trainedBytes: { projector: bytesOf(model.parameters.filter(isProjector)), everything: bytesOf(model.parameters) },
  };
}
