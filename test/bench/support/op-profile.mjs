/**
 * Time of every operation that the native backend runs, by its TensorFlow name: on the clock, and of the processor,
 * which counts what other programs on the machine take less but also threads that wait.
 */
export function profileOperations(backend) {
  const binding = backend.binding;
  const rows = new Map();
  const counters = { isOn: false };
  const executeOp = (name, attributes, inputs, count) => {
    if (!counters.isOn) return binding.executeOp(name, attributes, inputs, count);
    const before = process.cpuUsage();
    const start = performance.now();
    const outputs = binding.executeOp(name, attributes, inputs, count);
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    const shape = outputs[0].shape;
    const key = /MatMul|Product/.test(name) ? `${name} -> [${shape}]` : name;
    const row = rows.get(key) ?? { count: 0, ms: 0, cpu: 0, elements: 0 };
    row.count += 1;
    row.ms += wall;
    row.cpu += (user + system) / 1e3;
    row.elements += shape.reduce((product, length) => product * length, 1);
    rows.set(key, row);
    return outputs;
  };
  backend.binding = Object.create(binding, { executeOp: { value: executeOp } });
  return {
    start() {
      counters.isOn = true;
    },
    /** Rows with the most time first, each a step's. */
    stop(steps) {
      counters.isOn = false;
      const table = [...rows].map(([name, { count, ms, cpu, elements }]) => ({
        name,
        count: count / steps,
        ms: ms / steps,
        cpuMs: cpu / steps,
        megabytes: (4 * elements) / steps / 1e6,
      }));
      return table.sort((a, b) => b.ms - a.ms);
    },
  };
}
