import * as tf from "@tensorflow/tfjs-core";
import type { Activation } from "../kernels/activation.js";
import { GELU, GELU_TANH, QUICK_GELU, SILU } from "../kernels/activation.js";
import { hasFused, runFused, runFusedOne } from "../kernels/fused.js";
import { operate } from "../engine/operation.js";
import { stopGradient } from "./flow.js";
import { fuse } from "./fuse.js";
import type { Value } from "../engine/value.js";

/** `x^2`. Saves `x`. */
export function square(x: Value): Value {
  return operate("square", [x], (record, tape) => {
    if (record !== null) {
      const saved = record.save(x);
      record.backward = (gradient) => [tf.mul(tf.mul(gradient, tape.scalar(2)), saved())];
    }
    return tf.square(x.tensor);
  });
}

/** `e^x`. Saves its output. */
export function exp(x: Value): Value {
  return operate("exp", [x], (record) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [tf.mul(gradient, output())];
    }
    return tf.exp(x.tensor);
  });
}

/** Natural logarithm. Saves `x`. */
export function log(x: Value): Value {
  return operate("log", [x], (record) => {
    if (record !== null) {
      const saved = record.save(x);
      record.backward = (gradient) => [tf.div(gradient, saved())];
    }
    return tf.log(x.tensor);
  });
}

/** Square root. Saves its output. */
export function sqrt(x: Value): Value {
  return operate("sqrt", [x], (record, tape) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [tf.div(tf.mul(gradient, tape.scalar(0.5)), output())];
    }
    return tf.sqrt(x.tensor);
  });
}

/** `max(x, 0)`; its derivative at 0 is 0. Saves its output. */
export function relu(x: Value): Value {
  return operate("relu", [x], (record) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [tf.mul(gradient, tf.step(output()))];
    }
    return tf.relu(x.tensor);
  });
}

/** `1 / (1 + e^-x)`. Saves its output. */
export function sigmoid(x: Value): Value {
  return operate("sigmoid", [x], (record) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [tf.mul(gradient, tf.sub(output(), tf.square(output())))];
    }
    return tf.sigmoid(x.tensor);
  });
}

/**
 * `cap * tanh(x / cap)`: close to `x` where that is small, never beyond `cap`, a number above 0 (Gemma Team 2024, arXiv
 * 2408.00118, section 2). Saves its output.
 */
export function softCap(x: Value, cap: number): Value {
  return operate("softCap", [x], (record, tape) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => {
        const bent = tf.square(tf.mul(output(), tape.scalar(1 / cap)));
        return [tf.mul(gradient, tf.sub(tape.scalar(1), bent))];
      };
    }
    return tf.mul(tf.tanh(tf.mul(x.tensor, tape.scalar(1 / cap))), tape.scalar(cap));
  });
}

/**
 * `x` between two bounds, scalars that get no gradient; either may be infinite. As `torch.clamp`: the derivative is 1
 * from bound to bound, the bounds included, and 0 beyond. Saves `x`.
 */
export function clamp(x: Value, low: Value, high: Value): Value {
  const [bottom, top] = [stopGradient(low), stopGradient(high)];
  return operate("clamp", [x, bottom, top], (record) => {
    if (record !== null) {
      const [saved, from, to] = [record.save(x), record.save(bottom), record.save(top)];
      record.backward = (gradient) => {
        const isInside = tf.logicalAnd(tf.greaterEqual(saved(), from()), tf.lessEqual(saved(), to()));
        return [tf.mul(gradient, tf.cast(isInside, "float32")), null, null];
      };
    }
    return tf.minimum(tf.maximum(x.tensor, bottom.tensor), top.tensor);
  });
}

/** Hyperbolic tangent. Saves its output. */
export function tanh(x: Value): Value {
  return operate("tanh", [x], (record, tape) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [tf.mul(gradient, tf.sub(tape.scalar(1), tf.square(output())))];
    }
    return tape.kernels.tanh(x.tensor);
  });
}

/** `x sigmoid(x)`. Saves `x`. */
export function silu(x: Value): Value {
  return activate("silu", x, SILU);
}

/** Exact GELU with the error function. Saves `x`. */
export function gelu(x: Value): Value {
  return activate("gelu", x, GELU);
}

/** GELU's tanh approximation (`gelu_new`, `gelu_pytorch_tanh`). Saves `x`. */
export function geluTanh(x: Value): Value {
  return activate("geluTanh", x, GELU_TANH);
}

/** `x sigmoid(1.702 x)`, OpenAI CLIP's activation. Saves `x`. */
export function quickGelu(x: Value): Value {
  return activate("quickGelu", x, QUICK_GELU);
}

/**
 * `silu(gate) up`, the gate of Llama's MLP (Shazeer 2020, arXiv 2002.05202). Equal shapes. Saves both, `up` only if
 * `gate` needs a gradient.
 */
export function swiglu(gate: Value, up: Value): Value {
  return gated("swiglu", gate, up, SILU);
}

/**
 * `geluTanh(gate) up`, the gate of Gemma's MLP (arXiv 2002.05202). Equal shapes. Saves both, `up` only if `gate` needs
 * a gradient.
 */
export function geglu(gate: Value, up: Value): Value {
  return gated("geglu", gate, up, GELU_TANH);
}

function activate(name: string, x: Value, activation: Activation): Value {
  return fuse(name, [x], (rows) => plainActivate(name, rows!, activation));
}

function plainActivate(name: string, x: Value, activation: Activation): Value {
  return operate(name, [x], (record, tape) => {
    const { kind } = activation;
    const isFused = kind !== undefined && hasFused("ThawActivation");
    if (record !== null) {
      const saved = record.save(x);
      record.backward = (gradient) => [
        isFused
          ? runFusedOne("ThawActivationGradient", { gradient, x: saved() }, { kind })
          : tf.mul(gradient, activation.derivative(saved(), tape)),
      ];
    }
    return isFused ? runFusedOne("ThawActivation", { x: x.tensor }, { kind }) : activation.value(x.tensor, tape);
  });
}

function gated(name: string, gate: Value, up: Value, activation: Activation): Value {
  return fuse(name, [gate, up], (first, second) => plainGated(name, first!, second!, activation));
}

function plainGated(name: string, gate: Value, up: Value, activation: Activation): Value {
  return operate(name, [gate, up], (record, tape) => {
    const { kind } = activation;
    const isFused = kind !== undefined && hasFused("ThawGate");
    if (record !== null) {
      const savedGate = record.save(gate);
      const savedUp = record.needs[0] ? record.save(up) : null;
      record.backward = (gradient, [wantGate, wantUp]) => {
        if (isFused && wantGate && wantUp && savedUp !== null)
          return runFused("ThawGateGradient", { gradient, gate: savedGate(), up: savedUp() }, { kind });
        return [
          wantGate && savedUp !== null
            ? tf.mul(tf.mul(gradient, savedUp()), activation.derivative(savedGate(), tape))
            : null,
          wantUp ? tf.mul(gradient, activation.value(savedGate(), tape)) : null,
        ];
      };
    }
    return isFused
      ? runFusedOne("ThawGate", { gate: gate.tensor, up: up.tensor }, { kind })
      : tf.mul(activation.value(gate.tensor, tape), up.tensor);
  });
}
