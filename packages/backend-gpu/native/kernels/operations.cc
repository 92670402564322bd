// Each operation reads its inputs, checks that they fit, and calls the kernel.
#include <cstring>

#include "operation.h"

namespace thaw {
namespace {

std::vector<int64_t> RowShape(const Input& x) {
  std::vector<int64_t> shape = x.shape();
  shape.back() = 1;
  return shape;
}

// An input that is left out is a tensor of size 0.
const float* OrNull(const Input& input) { return input.size() == 0 ? nullptr : input.data(); }

void ComputeRmsNorm(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input x, gain;
  if (!run.Read(0, &x) || !run.Read(1, &gain)) return;
  const int64_t width = gain.size();
  if (!run.Check(x.rank() > 0 && x.dim(-1) == width, "The gain is not as long as a row.")) return;
  float* y = run.Output(0, x.shape());
  float* inverse = run.Output(1, RowShape(x));
  if (run.isFine()) kernels.rmsNorm(x.data(), gain.data(), x.size() / width, width, a.epsilon, a.offset, y, inverse);
}

void ComputeRmsNormGradient(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input g, x, gain, inverse, addend;
  if (!run.Read(0, &g) || !run.Read(1, &x) || !run.Read(2, &gain) || !run.Read(3, &inverse) || !run.Read(4, &addend)) return;
  const int64_t width = gain.size();
  if (!run.Check(x.size() == g.size() && x.dim(-1) == width && inverse.size() * width == x.size() && (addend.size() == 0 || addend.size() == x.size()), "Sizes differ.")) return;
  float* dx = run.Output(0, x.shape());
  float* dGain = run.Output(1, {a.wantsParameters ? width : 0});
  if (run.isFine()) kernels.rmsNormGradient(g.data(), x.data(), gain.data(), inverse.data(), OrNull(addend), x.size() / width, width, a.offset, dx, a.wantsParameters ? dGain : nullptr);
}

void ComputeLayerNorm(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input x, gain, bias;
  if (!run.Read(0, &x) || !run.Read(1, &gain) || !run.Read(2, &bias)) return;
  const int64_t width = gain.size();
  if (!run.Check(x.rank() > 0 && x.dim(-1) == width && bias.size() == width, "Gain or bias are not as long as a row.")) return;
  float* y = run.Output(0, x.shape());
  float* mean = run.Output(1, RowShape(x));
  float* inverse = run.Output(2, RowShape(x));
  if (run.isFine()) kernels.layerNorm(x.data(), gain.data(), bias.data(), x.size() / width, width, a.epsilon, y, mean, inverse);
}

void ComputeLayerNormGradient(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input g, x, gain, mean, inverse, addend;
  if (!run.Read(0, &g) || !run.Read(1, &x) || !run.Read(2, &gain) || !run.Read(3, &mean) || !run.Read(4, &inverse) || !run.Read(5, &addend)) return;
  const int64_t width = gain.size();
  if (!run.Check(x.size() == g.size() && x.dim(-1) == width && inverse.size() * width == x.size() && mean.size() == inverse.size() && (addend.size() == 0 || addend.size() == x.size()), "Sizes differ.")) return;
  float* dx = run.Output(0, x.shape());
  float* dGain = run.Output(1, {a.wantsParameters ? width : 0});
  float* dBias = run.Output(2, {a.wantsParameters ? width : 0});
  if (!run.isFine()) return;
  kernels.layerNormGradient(g.data(), x.data(), gain.data(), mean.data(), inverse.data(), OrNull(addend), x.size() / width, width, dx, a.wantsParameters ? dGain : nullptr, a.wantsParameters ? dBias : nullptr);
}

void ComputeActivation(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input x;
  if (!run.Read(0, &x)) return;
  float* y = run.Output(0, x.shape());
  if (run.isFine()) kernels.activation(static_cast<Activation>(a.kind), x.data(), x.size(), y);
}

void ComputeActivationGradient(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input g, x;
  if (!run.Read(0, &g) || !run.Read(1, &x) || !run.Check(g.size() == x.size(), "Sizes differ.")) return;
  float* dx = run.Output(0, x.shape());
  if (run.isFine()) kernels.activationGradient(static_cast<Activation>(a.kind), g.data(), x.data(), x.size(), dx);
}

void ComputeGate(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input gate, up;
  if (!run.Read(0, &gate) || !run.Read(1, &up) || !run.Check(gate.size() == up.size(), "Sizes differ.")) return;
  float* y = run.Output(0, gate.shape());
  if (run.isFine()) kernels.gate(static_cast<Activation>(a.kind), gate.data(), up.data(), gate.size(), y);
}

void ComputeGateGradient(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input g, gate, up;
  if (!run.Read(0, &g) || !run.Read(1, &gate) || !run.Read(2, &up) || !run.Check(gate.size() == up.size() && g.size() == up.size(), "Sizes differ.")) return;
  float* dGate = run.Output(0, gate.shape());
  float* dUp = run.Output(1, gate.shape());
  if (run.isFine()) kernels.gateGradient(static_cast<Activation>(a.kind), g.data(), gate.data(), up.data(), gate.size(), dGate, dUp);
}

// x [rows, heads * depth]; cos and sin [tableRows, depth], tableRows a divisor of rows
void ComputeRotary(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input x, cos, sin;
  if (!run.Read(0, &x) || !run.Read(1, &cos) || !run.Read(2, &sin)) return;
  if (!run.Check(x.rank() == 2 && cos.rank() == 2 && cos.size() == sin.size() && cos.dim(1) * a.heads == x.dim(1) && cos.dim(1) % 2 == 0, "Shapes differ.")) return;
  if (!run.Check(cos.dim(0) > 0 && x.dim(0) % cos.dim(0) == 0, "The tables do not fit.")) return;
  float* y = run.Output(0, x.shape());
  if (run.isFine()) kernels.rotary(x.data(), cos.data(), sin.data(), x.dim(0), a.heads, cos.dim(1), cos.dim(0), a.isInverse, y);
}

// q [queries, heads * depth]; k, v [keys, keyHeads * depth]; spans [samples, 4], first and end [queries] or [0], int32
struct AttentionInputs {
  Input q, k, v, spans, firstKeys, endKeys;
  AttentionShape shape;

  bool Read(const Attributes& a, Run& run, int first) {
    if (!run.Read(first, &q) || !run.Read(first + 1, &k) || !run.Read(first + 2, &v) || !run.Read(first + 3, &spans)) return false;
    if (!run.Read(first + 4, &firstKeys) || !run.Read(first + 5, &endKeys)) return false;
    if (!run.Check(q.rank() == 2 && k.rank() == 2 && v.size() == k.size() && spans.rank() == 2 && spans.dim(1) == 4, "Shapes differ.")) return false;
    const int64_t depth = q.dim(1) / a.heads;
    if (!run.Check(depth * a.heads == q.dim(1) && depth * a.keyHeads == k.dim(1) && a.heads % a.keyHeads == 0, "Heads do not fit.")) return false;
    const bool isBounded = (firstKeys.size() == 0 || firstKeys.size() == q.dim(0)) && (endKeys.size() == 0 || endKeys.size() == q.dim(0));
    if (!run.Check(isBounded, "There is not one first and one end key for each query.")) return false;
    const int32_t* bounds = static_cast<const int32_t*>(TF_TensorData(spans.tensor));
    for (int64_t sample = 0; sample < spans.dim(0); sample++) {
      const int32_t* span = bounds + 4 * sample;
      const bool isInside = span[0] >= 0 && span[0] <= span[1] && span[1] <= q.dim(0) && span[2] >= 0 && span[2] <= span[3] && span[3] <= k.dim(0);
      if (!run.Check(isInside, "A span is outside the rows.")) return false;
    }
    shape = AttentionShape{spans.dim(0), a.heads, a.keyHeads, depth, a.scale, bounds, BoundOf(firstKeys), BoundOf(endKeys)};
    return true;
  }

 private:
  static const int32_t* BoundOf(const Input& keys) { return keys.size() == 0 ? nullptr : static_cast<const int32_t*>(TF_TensorData(keys.tensor)); }
};

void Clear(float* data, const Input& like) { std::memset(data, 0, like.size() * sizeof(float)); }

void ComputeAttention(const KernelTable& kernels, const Attributes& a, Run& run) {
  AttentionInputs in;
  if (!in.Read(a, run, 0)) return;
  float* out = run.Output(0, in.q.shape());
  if (!run.isFine()) return;
  Clear(out, in.q);
  kernels.attention(in.shape, in.q.data(), in.k.data(), in.v.data(), out);
}

void ComputeAttentionGradient(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input g;
  AttentionInputs in;
  if (!run.Read(0, &g) || !in.Read(a, run, 1) || !run.Check(g.size() == in.q.size(), "Sizes differ.")) return;
  float* dq = run.Output(0, in.q.shape());
  float* dk = run.Output(1, in.k.shape());
  float* dv = run.Output(2, in.k.shape());
  if (!run.isFine()) return;
  Clear(dq, in.q);
  Clear(dk, in.k);
  Clear(dv, in.k);
  kernels.attentionGradient(in.shape, g.data(), in.q.data(), in.k.data(), in.v.data(), dq, dk, dv);
}

// a [rows, inner] or turned, b [inner, columns] or turned, bias [columns] or [0], addend [rows, columns] or [0]
void ComputeProduct(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input left, right, bias, addend;
  if (!run.Read(0, &left) || !run.Read(1, &right) || !run.Read(2, &bias) || !run.Read(3, &addend)) return;
  if (!run.Check(left.rank() == 2 && right.rank() == 2, "The factors are no matrices.")) return;
  const ProductShape shape{left.dim(a.transposeA ? 1 : 0), right.dim(a.transposeB ? 0 : 1), left.dim(a.transposeA ? 0 : 1), a.transposeA, a.transposeB};
  if (!run.Check(right.dim(a.transposeB ? 1 : 0) == shape.inner, "The inner sizes differ.")) return;
  if (!run.Check((bias.size() == 0 || bias.size() == shape.columns) && (addend.size() == 0 || addend.size() == shape.rows * shape.columns), "Bias or addend do not fit.")) return;
  float* out = run.Output(0, {shape.rows, shape.columns});
  if (run.isFine()) kernels.product(shape, left.data(), right.data(), OrNull(bias), OrNull(addend), out);
}

// scalars: as in AdamScalars
void ComputeAdamW(const KernelTable& kernels, const Attributes&, Run& run) {
  Input parameter, m, v, g, scalars;
  if (!run.Read(0, &parameter) || !run.Read(1, &m) || !run.Read(2, &v) || !run.Read(3, &g) || !run.Read(4, &scalars)) return;
  const int64_t size = parameter.size();
  if (!run.Check(m.size() == size && v.size() == size && g.size() == size && scalars.size() == 7, "Sizes differ.")) return;
  float* newParameter = run.Output(0, parameter.shape());
  float* newM = run.Output(1, parameter.shape());
  float* newV = run.Output(2, parameter.shape());
  if (!run.isFine()) return;
  const float* s = scalars.data();
  kernels.adamW(AdamScalars{s[0], s[1], s[2], s[3], s[4], s[5], s[6]}, parameter.data(), m.data(), v.data(), g.data(), size, newParameter, newM, newV);
}

void ComputeSumOfSquares(const KernelTable& kernels, const Attributes&, Run& run) {
  Input x;
  if (!run.Read(0, &x)) return;
  float* total = run.Output(0, {});
  if (run.isFine()) *total = kernels.sumOfSquares(x.data(), x.size());
}

// words as in QuantizedShape, values [rows, columns]
void ComputeDequantize(const KernelTable& kernels, const Attributes& a, Run& run) {
  Input words;
  if (!run.Read(0, &words) || !run.Check((a.bits == 4 || a.bits == 8) && a.block > 0 && a.nestedBlock >= 0, "No such form.")) return;
  const QuantizedShape shape{a.rows * a.columns, a.bits, a.block, a.nestedBlock};
  if (!run.Check(words.size() == shape.Words(), "There are not as many words as the form has.")) return;
  float* values = run.Output(0, {a.rows, a.columns});
  if (run.isFine()) kernels.dequantize(shape, words.data(), values);
}

}  // namespace

const std::vector<Operation>& Operations() {
  static const std::vector<Operation> operations = {
      {"ThawRmsNorm", {"x: float", "gain: float"}, {"y: float", "inverse: float"}, {"epsilon: float", "offset: float"}, ComputeRmsNorm},
      {"ThawRmsNormGradient", {"gradient: float", "x: float", "gain: float", "inverse: float", "addend: float"}, {"dx: float", "dgain: float"}, {"offset: float", "wants_parameters: bool"}, ComputeRmsNormGradient},
      {"ThawLayerNorm", {"x: float", "gain: float", "bias: float"}, {"y: float", "mean: float", "inverse: float"}, {"epsilon: float"}, ComputeLayerNorm},
      {"ThawLayerNormGradient", {"gradient: float", "x: float", "gain: float", "mean: float", "inverse: float", "addend: float"}, {"dx: float", "dgain: float", "dbias: float"}, {"wants_parameters: bool"}, ComputeLayerNormGradient},
      {"ThawActivation", {"x: float"}, {"y: float"}, {"kind: int"}, ComputeActivation},
      {"ThawActivationGradient", {"gradient: float", "x: float"}, {"dx: float"}, {"kind: int"}, ComputeActivationGradient},
      {"ThawGate", {"gate: float", "up: float"}, {"y: float"}, {"kind: int"}, ComputeGate},
      {"ThawGateGradient", {"gradient: float", "gate: float", "up: float"}, {"dgate: float", "dup: float"}, {"kind: int"}, ComputeGateGradient},
      {"ThawRotary", {"x: float", "cos: float", "sin: float"}, {"y: float"}, {"heads: int", "is_inverse: bool"}, ComputeRotary},
      {"ThawAttention", {"q: float", "k: float", "v: float", "spans: int32", "first: int32", "end: int32"}, {"out: float"}, {"heads: int", "key_heads: int", "scale: float"}, ComputeAttention},
      {"ThawAttentionGradient", {"gradient: float", "q: float", "k: float", "v: float", "spans: int32", "first: int32", "end: int32"}, {"dq: float", "dk: float", "dv: float"}, {"heads: int", "key_heads: int", "scale: float"}, ComputeAttentionGradient},
      {"ThawProduct", {"a: float", "b: float", "bias: float", "addend: float"}, {"product: float"}, {"transpose_a: bool", "transpose_b: bool"}, ComputeProduct},
      {"ThawAdamW", {"parameter: float", "m: float", "v: float", "gradient: float", "scalars: float"}, {"new_parameter: float", "new_m: float", "new_v: float"}, {}, ComputeAdamW},
      {"ThawSumOfSquares", {"x: float"}, {"total: float"}, {}, ComputeSumOfSquares},
      {"ThawDequantize", {"words: float"}, {"values: float"}, {"rows: int", "columns: int", "bits: int", "block: int", "nested_block: int"}, ComputeDequantize},
  };
  return operations;
}

}  // namespace thaw
