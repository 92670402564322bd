import { nameList, type ThawError } from "@thaw/contracts";
import { make } from "./make.js";

/** A parameter was asked for that the run does not have. */
export function parameterUnknown(name: string, nearest: readonly string[]): ThawError {
  const advice = nearest.length > 0 ? `Nearest names: ${nearest.join(", ")}.` : "No parameter has a similar name.";
  return make(
    "THAW_CORE_PARAMETER_UNKNOWN",
    `There is no parameter ${name}. In the trainer's parameter store. ${advice}`,
    { name, nearest },
  );
}

/** Parameters that neither the checkpoint nor an initializer gave values for. */
export function parametersMissing(names: readonly string[], source: string): ThawError {
  return make(
    "THAW_CORE_PARAMETERS_MISSING",
    `The model gave no values for ${nameList(names)}. From ${source}. Check the checkpoint, or the initializer ` +
      "of a parameter that a plugin added.",
    { names, source },
  );
}

/** A run's live weights are not replaced from outside. */
export function sessionReadOnly(): ThawError {
  return make(
    "THAW_CORE_SESSION_READ_ONLY",
    "A session of a running trainer cannot load parameters. In Session.loadParameters. Use trainer.open() for a " +
      "session of its own.",
    {},
  );
}

/** Values that do not fit the parameter they are for. */
export function parameterMisshaped(name: string, shape: readonly number[], valueCount: number): ThawError {
  return make(
    "THAW_CORE_PARAMETER_MISSHAPED",
    `${valueCount} values were given for ${name}, whose shape is [${shape.join(", ")}]. In the trainer's ` +
      "parameter store. Check the file or initializer that they come from.",
    { name, shape, valueCount },
  );
}

/** The fingerprint of a frozen parameter changed: something wrote to it. */
export function frozenMoved(names: readonly string[], step: number): ThawError {
  return make(
    "THAW_CORE_FROZEN_MOVED",
    `Frozen parameters changed: ${nameList(names)}. Found at step ${step}. A plugin or the model wrote to a ` +
      "tensor it only borrows; leave plugins out one by one to find it.",
    { names, step },
  );
}

/** A parameter was asked for while it is not in memory. */
export function parameterReleased(name: string): ThawError {
  return make(
    "THAW_CORE_PARAMETER_RELEASED",
    `The parameter ${name} was read, but it is not in memory: the model never uses it, or the output of its part ` +
      "of the model is known for every batch. In a plugin or in the model's forward pass. Ask for its values with " +
      "readParameter, or switch off the saving that released it.",
    { name },
  );
}

/** Parameters that were read from the model again are not what they were at the start. */
export function parametersChanged(names: readonly string[], source: string): ThawError {
  return make(
    "THAW_CORE_PARAMETERS_CHANGED",
    `Parameters that were read again differ from those at the start of the run: ${nameList(names)}. In ` +
      `${source}. Do not change a model's files while a run uses them.`,
    { names, source },
  );
}

/** Values of a parameter that cannot be computed with. */
export function parameterNotFinite(name: string, index: number, value: number, source: string): ThawError {
  return make(
    "THAW_CORE_PARAMETER_NOT_FINITE",
    `The value ${index} of the parameter ${name} is ${value}. From ${source}. Take an intact copy; where a plugin or ` +
      "a training made it, look there.",
    { name, index, value, source },
  );
}
