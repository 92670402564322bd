// Compares every kernel, in every instruction set that this processor runs, with the formula written out in double precision. Prints a line a kernel and
// set, `<set> <kernel> <largest error relative to the largest value>`. Sizes leave a remainder in every vector width.
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "kernels/instruction_sets.h"

// The code for vectors of 16, in instructions that every processor has.
#define THAW_ISA wide
#define THAW_WIDTH 16
#include "kernels/instruction_set.h"
#undef THAW_ISA
#undef THAW_WIDTH

namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Floats Random(size_t count, double scale = 1) {
  static uint64_t state = 88172645463325252ull;
  Floats values(count);
  for (float& value : values) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    value = static_cast<float>(scale * (static_cast<double>(state % 2000003) / 1000001 - 1) * 2);
  }
  return values;
}

double Error(const Floats& got, const Doubles& wanted) {
  double largest = 1e-30, error = 0;
  for (size_t at = 0; at < wanted.size(); at++) {
    largest = std::fmax(largest, std::fabs(wanted[at]));
    error = std::isfinite(got[at]) ? std::fmax(error, std::fabs(got[at] - wanted[at])) : INFINITY;
  }
  return error / largest;
}

const char* set = "";
void Report(const char* kernel, const Floats& got, const Doubles& wanted) { std::printf("%s %s %.3g\n", set, kernel, Error(got, wanted)); }

void CheckNorms(const thaw::KernelTable& t) {
  const int64_t rows = 67, width = 45;
  const Floats x = Random(rows * width), g = Random(rows * width), gain = Random(width), bias = Random(width), addend = Random(rows * width);
  Floats y(rows * width), mean(rows), inverse(rows), dx(rows * width), dGain(width), dBias(width);
  for (const bool isLayer : {false, true}) {
    Doubles wantedY(rows * width), wantedDx(rows * width), wantedGain(width), wantedBias(width);
    for (int64_t row = 0; row < rows; row++) {
      const double offset = isLayer ? 0 : 1;
      double m = 0, variance = 0, sum = 0, product = 0;
      for (int64_t c = 0; c < width; c++) m += isLayer ? x[row * width + c] / static_cast<double>(width) : 0;
      for (int64_t c = 0; c < width; c++) variance += (x[row * width + c] - m) * (x[row * width + c] - m) / width;
      const double f = 1 / std::sqrt(variance + 1e-5);
      for (int64_t c = 0; c < width; c++) {
        const double n = (x[row * width + c] - m) * f, scaled = g[row * width + c] * (gain[c] + offset);
        wantedY[row * width + c] = n * (gain[c] + offset) + (isLayer ? bias[c] : 0);
        wantedGain[c] += g[row * width + c] * n;
        wantedBias[c] += g[row * width + c];
        sum += isLayer ? scaled / width : 0;
        product += scaled * n / width;
      }
      for (int64_t c = 0; c < width; c++) wantedDx[row * width + c] = f * (g[row * width + c] * (gain[c] + offset) - sum - (x[row * width + c] - m) * f * product) + addend[row * width + c];
    }
    if (isLayer) {
      t.layerNorm(x.data(), gain.data(), bias.data(), rows, width, 1e-5f, y.data(), mean.data(), inverse.data());
      t.layerNormGradient(g.data(), x.data(), gain.data(), mean.data(), inverse.data(), addend.data(), rows, width, dx.data(), dGain.data(), dBias.data());
      Report("layerNormBias", dBias, wantedBias);
    } else {
      t.rmsNorm(x.data(), gain.data(), rows, width, 1e-5f, 1, y.data(), inverse.data());
      t.rmsNormGradient(g.data(), x.data(), gain.data(), inverse.data(), addend.data(), rows, width, 1, dx.data(), dGain.data());
    }
    Report(isLayer ? "layerNorm" : "rmsNorm", y, wantedY);
    Report(isLayer ? "layerNormGradient" : "rmsNormGradient", dx, wantedDx);
    Report(isLayer ? "layerNormGain" : "rmsNormGain", dGain, wantedGain);
  }
}

void CheckGates(const thaw::KernelTable& t) {
  const int64_t size = 5003;
  const Floats gate = Random(size, 4), up = Random(size), g = Random(size);
  for (const int kind : {0, 1, 2}) {
    const auto inner = [&](double x) { return kind == 0 ? x : kind == 1 ? 1.702 * x : 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); };
    const auto value = [&](double x) { return x / (1 + std::exp(-inner(x))); };
    const auto slope = [&](double x) { return (value(x + 1e-6) - value(x - 1e-6)) / 2e-6; };
    Doubles y(size), dx(size), gated(size), dGate(size), dUp(size);
    for (int64_t at = 0; at < size; at++) {
      y[at] = value(gate[at]);
      dx[at] = g[at] * slope(gate[at]);
      gated[at] = y[at] * up[at];
      dGate[at] = dx[at] * up[at];
      dUp[at] = g[at] * y[at];
    }
    Floats got(size), second(size);
    const auto activation = static_cast<thaw::Activation>(kind);
    t.activation(activation, gate.data(), size, got.data());
    Report("activation", got, y);
    t.activationGradient(activation, g.data(), gate.data(), size, got.data());
    Report("activationGradient", got, dx);
    t.gate(activation, gate.data(), up.data(), size, got.data());
    Report("gate", got, gated);
    t.gateGradient(activation, g.data(), gate.data(), up.data(), size, got.data(), second.data());
    Report("gateGradient", got, dGate);
    Report("gateGradientUp", second, dUp);
  }
}

void CheckRotary(const thaw::KernelTable& t) {
  const int64_t rows = 14, tables = 7, heads = 3, depth = 10;
  const Floats x = Random(rows * heads * depth), cosines = Random(tables * depth), sines = Random(tables * depth);
  for (const bool isInverse : {false, true}) {
    Doubles wanted(x.size());
    for (int64_t row = 0; row < rows; row++) for (int64_t head = 0; head < heads; head++) for (int64_t c = 0; c < depth; c++) {
      const int64_t at = (row * heads + head) * depth, table = row % tables * depth, other = (c + depth / 2) % depth;
      const double sign = (c < depth / 2) == isInverse ? 1 : -1;
      wanted[at + c] = x[at + c] * cosines[table + c] + sign * x[at + other] * sines[table + (isInverse ? other : c)];
    }
    Floats y(x.size());
    t.rotary(x.data(), cosines.data(), sines.data(), rows, heads, depth, tables, isInverse, y.data());
    Report(isInverse ? "rotaryGradient" : "rotary", y, wanted);
  }
}

void CheckProduct(const thaw::KernelTable& t) {
  // The last has more columns than are in slivers at a time.
  for (const auto& [rows, columns, inner] : {std::array<int64_t, 3>{5, 96, 33}, {101, 67, 900}, {9, 3200, 5}}) for (const bool isATurned : {false, true}) for (const bool isBTurned : {false, true}) {
    const bool isLong = inner == 900;
    const Floats a = Random(rows * inner), b = Random(inner * columns), bias = Random(columns), addend = Random(rows * columns);
    Doubles wanted(rows * columns);
    for (int64_t row = 0; row < rows; row++) for (int64_t column = 0; column < columns; column++) {
      double sum = bias[column] + (isLong ? 0 : static_cast<double>(addend[row * columns + column]));
      for (int64_t k = 0; k < inner; k++) sum += static_cast<double>(a[isATurned ? k * rows + row : row * inner + k]) * b[isBTurned ? column * inner + k : k * columns + column];
      wanted[row * columns + column] = sum;
    }
    Floats got(rows * columns);
    t.product({rows, columns, inner, isATurned, isBTurned}, a.data(), b.data(), bias.data(), isLong ? nullptr : addend.data(), got.data());
    Report("product", got, wanted);
  }
}

struct Bounds {
  std::vector<int32_t> first, end;
};

// Two samples of unlike lengths. Without a window the second sees all its keys; one query sees none.
Bounds BoundsOf(int queries, int window, int both, int bothEnd) {
  Bounds bounds{std::vector<int32_t>(window > 0 ? queries : 0), std::vector<int32_t>(queries, 49)};
  for (int row = 0; row < queries; row++) {
    const int key = row < 41 ? row : row - 41;
    if (row < 41 || window > 0) bounds.end[row] = key + 1;
    if (window > 0) bounds.first[row] = key + 1 > window ? key + 1 - window : 0;
    if (row < both || row >= bothEnd) continue;
    bounds.end[row] = bothEnd - 41;
    if (window > 0 && bounds.first[row] > both - 41) bounds.first[row] = both - 41;
  }
  bounds.end[60] = 0;
  return bounds;
}

void CheckAttention(const thaw::KernelTable& t, const std::string& kind, const Bounds& bounds) {
  const int64_t heads = 4, keyHeads = 2, depth = 20, queries = 90, keys = 97;
  const std::vector<int32_t> spans = {0, 41, 0, 41, 41, 90, 48, 97};
  const auto firstOf = [&](int64_t row) -> int64_t { return bounds.first.empty() ? 0 : bounds.first[row]; };
  const Floats q = Random(queries * heads * depth), k = Random(keys * keyHeads * depth), v = Random(keys * keyHeads * depth), g = Random(queries * heads * depth);
  Doubles out(q.size()), dq(q.size()), dk(k.size()), dv(v.size());
  const double scale = 0.3;
  for (int sample = 0; sample < 2; sample++) for (int64_t row = spans[4 * sample]; row < spans[4 * sample + 1]; row++) for (int64_t head = 0; head < heads; head++) {
    const int64_t from = (row * heads + head) * depth, first = spans[4 * sample + 2];
    const auto at = [&](int64_t key) { return ((first + key) * keyHeads + head / (heads / keyHeads)) * depth; };
    const int64_t endKey = bounds.end[row];
    Doubles p(endKey), d(endKey);
    double total = 0, level = 0;
    for (int64_t key = firstOf(row); key < endKey; key++) {
      double score = 0;
      for (int64_t c = 0; c < depth; c++) score += scale * q[from + c] * k[at(key) + c];
      total += p[key] = std::exp(score);
    }
    for (int64_t key = firstOf(row); key < endKey; key++) {
      p[key] /= total;
      for (int64_t c = 0; c < depth; c++) {
        out[from + c] += p[key] * v[at(key) + c];
        d[key] += g[from + c] * static_cast<double>(v[at(key) + c]);
        dv[at(key) + c] += p[key] * g[from + c];
      }
      level += p[key] * d[key];
    }
    for (int64_t key = firstOf(row); key < endKey; key++) for (int64_t c = 0; c < depth; c++) {
      dq[from + c] += scale * p[key] * (d[key] - level) * k[at(key) + c];
      dk[at(key) + c] += scale * p[key] * (d[key] - level) * q[from + c];
    }
  }
  const thaw::AttentionShape shape{2, heads, keyHeads, depth, static_cast<float>(scale), spans.data(), bounds.first.empty() ? nullptr : bounds.first.data(), bounds.end.data()};
  Floats got(q.size()), gotQ(q.size()), gotK(k.size()), gotV(v.size());
  t.attention(shape, q.data(), k.data(), v.data(), got.data());
  t.attentionGradient(shape, g.data(), q.data(), k.data(), v.data(), gotQ.data(), gotK.data(), gotV.data());
  Report(kind.c_str(), got, out);
  Report((kind + "GradientQ").c_str(), gotQ, dq);
  Report((kind + "GradientK").c_str(), gotK, dk);
  Report((kind + "GradientV").c_str(), gotV, dv);
}

// One code a number of 8 bits, or two of 4 a byte with scales that are bytes themselves; the last block is shorter than the others.
void CheckQuantized(const thaw::KernelTable& t, const char* kernel, const thaw::QuantizedShape& shape) {
  Floats words = Random(shape.Words());
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  const int64_t table = shape.Codes(), scales = table + shape.Table(), nested = scales + shape.Scales();
  uint8_t* scaleBytes = bytes + 4 * scales;
  for (int64_t at = 0; at < 4 * shape.Codes(); at++) bytes[at] = static_cast<uint8_t>(at * 37 + at / 7);
  for (int64_t at = 0; shape.nestedBlock != 0 && at < 4 * shape.Scales(); at++) scaleBytes[at] = static_cast<uint8_t>(at * 101);
  Doubles wanted(shape.size);
  for (int64_t at = 0; at < shape.size; at++) {
    const int64_t block = at / shape.block;
    const double scale = shape.nestedBlock == 0 ? words[scales + block]
                                                : static_cast<double>(words[nested + scaleBytes[block]]) * words[nested + 256 + block / shape.nestedBlock] + words[nested + 256 + shape.NestedBlocks()];
    const float number = shape.bits == 8 ? words[table + bytes[at]] : words[table + 2 * bytes[at / 2] + at % 2];
    wanted[at] = number * scale;
  }
  Floats got(shape.size);
  t.dequantize(shape, words.data(), got.data());
  Report(kernel, got, wanted);
}

void CheckOptimizer(const thaw::KernelTable& t) {
  const int64_t size = 33001;
  const Floats p = Random(size), m = Random(size, 0.1), g = Random(size), squares = Random(size);
  Floats v(size), newP(size), newM(size), newV(size);
  for (int64_t at = 0; at < size; at++) v[at] = squares[at] * squares[at];
  const thaw::AdamScalars s{0.9f, 0.999f, 0.1f * 0.25f, 0.001f * 0.0625f, 1e-2f, 1e-6f, 0.99f};
  Doubles wantedP(size), wantedM(size), wantedV(size);
  double sum = 0;
  for (int64_t at = 0; at < size; at++) {
    const double gradient = g[at] * 0.25;
    wantedM[at] = 0.9 * m[at] + (1 - 0.9) * gradient;
    wantedV[at] = 0.999 * v[at] + (1 - 0.999) * gradient * gradient;
    wantedP[at] = p[at] * 0.99 - wantedM[at] / (std::sqrt(wantedV[at]) + 1e-6) * 1e-2;
    sum += static_cast<double>(g[at]) * g[at];
  }
  t.adamW(s, p.data(), m.data(), v.data(), g.data(), size, newP.data(), newM.data(), newV.data());
  Report("adamW", newP, wantedP);
  Report("adamWFirst", newM, wantedM);
  Report("adamWSecond", newV, wantedV);
  Report("sumOfSquares", {t.sumOfSquares(g.data(), size)}, {sum});
}

}  // namespace

int main() {
  std::vector<const thaw::KernelTable*> tables = thaw::RunnableTables();
  tables.push_back(&thaw::wide::kTable);
  for (const thaw::KernelTable* table : tables) {
    set = table->name;
    CheckNorms(*table);
    CheckGates(*table);
    CheckRotary(*table);
    CheckAttention(*table, "attention", BoundsOf(90, 0, 90, 90));
    CheckAttention(*table, "windowedAttention", BoundsOf(90, 7, 90, 90));
    CheckAttention(*table, "windowedBothWays", BoundsOf(90, 7, 50, 87));
    CheckProduct(*table);
    CheckOptimizer(*table);
    CheckQuantized(*table, "bytes", {33001, 8, 50, 0});
    CheckQuantized(*table, "halves", {33001, 4, 64, 256});
  }
}
