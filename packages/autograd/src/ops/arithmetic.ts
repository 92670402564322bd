import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumTo } from "../kernels/broadcast.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";

/** `a + b` with broadcasting. Saves nothing. */
export function add(a: Value, b: Value): Value {
  return operate("add", [a, b], (record, tape) => {
    if (record !== null)
      record.backward = (gradient, [wantA, wantB]) => [
        wantA ? sumTo(tape.kernels, gradient, a.shape) : null,
        wantB ? sumTo(tape.kernels, gradient, b.shape) : null,
      ];
    return tf.add(a.tensor, b.tensor);
  });
}

/** `a - b` with broadcasting. Saves nothing. */
export function sub(a: Value, b: Value): Value {
  return operate("sub", [a, b], (record, tape) => {
    if (record !== null) {
      record.backward = (gradient, [wantA, wantB]) => [
        wantA ? sumTo(tape.kernels, gradient, a.shape) : null,
        wantB ? tf.neg(sumTo(tape.kernels, gradient, b.shape)) : null,
      ];
    }
    return tf.sub(a.tensor, b.tensor);
  });
}

/** `a b`, element by element with broadcasting. Saves each factor only if the other one needs a gradient. */
export function mul(a: Value, b: Value): Value {
  return operate("mul", [a, b], (record, tape) => {
    if (record !== null) {
      const savedA = record.needs[1] ? record.save(a) : null;
      const savedB = record.needs[0] ? record.save(b) : null;
      record.backward = (gradient, [wantA, wantB]) => [
        wantA ? sumTo(tape.kernels, tf.mul(gradient, (savedB as () => Tensor)()), a.shape) : null,
        wantB ? sumTo(tape.kernels, tf.mul(gradient, (savedA as () => Tensor)()), b.shape) : null,
      ];
    }
    return tf.mul(a.tensor, b.tensor);
  });
}

/** `a / b` with broadcasting. Saves `b`, and the quotient only if `b` needs a gradient. */
export function div(a: Value, b: Value): Value {
  return operate("div", [a, b], (record, tape) => {
    if (record !== null) {
      const divisor = record.save(b);
      const quotient = record.needs[1] ? record.saveOutput() : null;
      record.backward = (gradient, [wantA, wantB]) => {
        const scaled = tf.div(gradient, divisor());
        return [
          wantA ? sumTo(tape.kernels, scaled, a.shape) : null,
          wantB ? tf.neg(sumTo(tape.kernels, tf.mul(scaled, (quotient as () => Tensor)()), b.shape)) : null,
        ];
      };
    }
    return tf.div(a.tensor, b.tensor);
  });
}

/** `factor x`. Saves nothing. */
export function scale(x: Value, factor: number): Value {
  return operate("scale", [x], (record, tape) => {
    if (record !== null) record.backward = (gradient) => [tf.mul(gradient, tape.scalar(factor))];
    return tf.mul(x.tensor, tape.scalar(factor));
  });
}

/** `x + summand`. Saves nothing. */
export function addScalar(x: Value, summand: number): Value {
  return operate("addScalar", [x], (record, tape) => {
    if (record !== null) record.backward = (gradient) => [gradient];
    return tf.add(x.tensor, tape.scalar(summand));
  });
}
