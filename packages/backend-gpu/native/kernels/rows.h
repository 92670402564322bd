// Norms, activations, rotary positions and the optimizer: each reads its inputs once.

namespace thaw {
namespace THAW_ISA {

static void RmsNorm(const float* x, const float* gain, int64_t rows, int64_t width, float epsilon, float offset, float* y, float* inverse) {
  ParallelFor(rows, 2 * width, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* in = x + row * width;
      float* out = y + row * width;
      Vec squares{};
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) { const Vec v = lanes.Get(in + at); squares += v * v; });
      const float factor = 1.0f / __builtin_sqrtf(Sum(squares) / width + epsilon);
      inverse[row] = factor;
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) { lanes.Put(out + at, lanes.Get(in + at) * factor * (lanes.Get(gain + at) + offset)); });
    }
  });
}

// dx = inverse (g' - n mean(g' n)), g' = g (gain + offset), n = x inverse
static void RmsNormGradient(const float* gradient, const float* x, const float* gain, const float* inverse, const float* addend, int64_t rows, int64_t width, float offset, float* dx, float* dGain) {
  RowSums total(rows, dGain == nullptr ? 0 : width);
  total.Over(4 * width, [=](float* sums, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* g = gradient + row * width;
      const float* in = x + row * width;
      float* out = dx + row * width;
      const float factor = inverse[row];
      Vec products{};
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) { products += lanes.Get(g + at) * (lanes.Get(gain + at) + offset) * lanes.Get(in + at); });
      const float tilt = Sum(products) * factor * factor / width;
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
        const Vec upstream = lanes.Get(g + at);
        const Vec value = lanes.Get(in + at);
        const Vec slope = (upstream * (lanes.Get(gain + at) + offset) - value * tilt) * factor;
        lanes.Put(out + at, addend == nullptr ? slope : slope + lanes.Get(addend + row * width + at));
        if (dGain != nullptr) lanes.Put(sums + at, lanes.Get(sums + at) + upstream * value * factor);
      });
    }
  });
  if (dGain != nullptr) total.Give(0, width, dGain);
}

static void LayerNorm(const float* x, const float* gain, const float* bias, int64_t rows, int64_t width, float epsilon, float* y, float* mean, float* inverse) {
  ParallelFor(rows, 3 * width, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* in = x + row * width;
      float* out = y + row * width;
      Vec total{};
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) { total += lanes.Get(in + at); });
      const float centre = Sum(total) / width;
      float squares = 0;
      Vec wide{};
      int64_t at = 0;
      for (; at + W <= width; at += W) { const Vec v = Load(in + at) - centre; wide += v * v; }
      for (; at < width; at++) squares += (in[at] - centre) * (in[at] - centre);
      const float factor = 1.0f / __builtin_sqrtf((squares + Sum(wide)) / width + epsilon);
      mean[row] = centre;
      inverse[row] = factor;
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
        lanes.Put(out + at, (lanes.Get(in + at) - centre) * factor * lanes.Get(gain + at) + lanes.Get(bias + at));
      });
    }
  });
}

// dx = inverse (g' - mean(g') - n mean(g' n)), g' = g gain, n = (x - mean) inverse
static void LayerNormGradient(const float* gradient, const float* x, const float* gain, const float* mean, const float* inverse, const float* addend, int64_t rows, int64_t width, float* dx, float* dGain, float* dBias) {
  RowSums total(rows, dGain == nullptr ? 0 : 2 * width);
  total.Over(5 * width, [=](float* gains, int64_t begin, int64_t end) {
    float* biases = gains + width;
    for (int64_t row = begin; row < end; row++) {
      const float* g = gradient + row * width;
      const float* in = x + row * width;
      float* out = dx + row * width;
      const float centre = mean[row];
      const float factor = inverse[row];
      Vec sums{}, products{};
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
        const Vec scaled = lanes.Get(g + at) * lanes.Get(gain + at);
        sums += scaled;
        products += scaled * (lanes.Get(in + at) - centre);
      });
      const float level = Sum(sums) / width;
      const float tilt = Sum(products) * factor * factor / width;
      Each(width, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
        const Vec upstream = lanes.Get(g + at);
        const Vec value = lanes.Get(in + at) - centre;
        const Vec slope = (upstream * lanes.Get(gain + at) - level - value * tilt) * factor;
        lanes.Put(out + at, addend == nullptr ? slope : slope + lanes.Get(addend + row * width + at));
        if (dGain == nullptr) return;
        lanes.Put(gains + at, lanes.Get(gains + at) + upstream * value * factor);
        lanes.Put(biases + at, lanes.Get(biases + at) + upstream);
      });
    }
  });
  if (dGain == nullptr) return;
  total.Give(0, width, dGain);
  total.Give(width, width, dBias);
}

constexpr float kTanhLinear = 1.5957691216057308f;  // 2 sqrt(2 / pi)
constexpr float kTanhCubic = 0.07135481282894542f;  // the same times 0.044715

template <Activation kind>
THAW_INLINE Vec Inner(Vec x) {
  if (kind == Activation::kSilu) return x;
  if (kind == Activation::kQuickGelu) return x * 1.702f;
  return x * (x * x * kTanhCubic + kTanhLinear);
}

template <Activation kind>
THAW_INLINE Vec InnerSlope(Vec x) {
  if (kind == Activation::kSilu) return Set(1.0f);
  if (kind == Activation::kQuickGelu) return Set(1.702f);
  return x * x * (3 * kTanhCubic) + kTanhLinear;
}

template <Activation kind>
THAW_INLINE Vec Slope(Vec x, Vec gate) {
  return gate + gate * x * (1.0f - gate) * InnerSlope<kind>(x);
}

template <Activation kind>
static void ActivationOf(const float* x, int64_t size, float* y) {
  ParallelFor((size + W - 1) / W, 12 * W, [=](int64_t begin, int64_t end) {
    const int64_t start = begin * W;
    Each((end * W < size ? end * W : size) - start, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
      const Vec value = lanes.Get(x + start + at);
      lanes.Put(y + start + at, value * Sigmoid(Inner<kind>(value)));
    });
  });
}

template <Activation kind>
static void ActivationGradientOf(const float* gradient, const float* x, int64_t size, float* dx) {
  ParallelFor((size + W - 1) / W, 14 * W, [=](int64_t begin, int64_t end) {
    const int64_t start = begin * W;
    Each((end * W < size ? end * W : size) - start, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
      const Vec value = lanes.Get(x + start + at);
      lanes.Put(dx + start + at, lanes.Get(gradient + start + at) * Slope<kind>(value, Sigmoid(Inner<kind>(value))));
    });
  });
}

template <Activation kind>
static void GateOf(const float* gate, const float* up, int64_t size, float* y) {
  ParallelFor((size + W - 1) / W, 12 * W, [=](int64_t begin, int64_t end) {
    const int64_t start = begin * W;
    Each((end * W < size ? end * W : size) - start, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
      const Vec value = lanes.Get(gate + start + at);
      lanes.Put(y + start + at, value * Sigmoid(Inner<kind>(value)) * lanes.Get(up + start + at));
    });
  });
}

template <Activation kind>
static void GateGradientOf(const float* gradient, const float* gate, const float* up, int64_t size, float* dGate, float* dUp) {
  ParallelFor((size + W - 1) / W, 16 * W, [=](int64_t begin, int64_t end) {
    const int64_t start = begin * W;
    Each((end * W < size ? end * W : size) - start, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
      const Vec upstream = lanes.Get(gradient + start + at);
      const Vec value = lanes.Get(gate + start + at);
      const Vec open = Sigmoid(Inner<kind>(value));
      lanes.Put(dGate + start + at, upstream * lanes.Get(up + start + at) * Slope<kind>(value, open));
      lanes.Put(dUp + start + at, upstream * value * open);
    });
  });
}

#define THAW_BY_KIND(function, ...)                                                            \
  switch (kind) {                                                                              \
    case Activation::kSilu: return function<Activation::kSilu>(__VA_ARGS__);                   \
    case Activation::kQuickGelu: return function<Activation::kQuickGelu>(__VA_ARGS__);         \
    case Activation::kGeluTanh: return function<Activation::kGeluTanh>(__VA_ARGS__);           \
  }

static void Activate(Activation kind, const float* x, int64_t size, float* y) { THAW_BY_KIND(ActivationOf, x, size, y) }
static void ActivateGradient(Activation kind, const float* g, const float* x, int64_t size, float* dx) { THAW_BY_KIND(ActivationGradientOf, g, x, size, dx) }
static void Gate(Activation kind, const float* gate, const float* up, int64_t size, float* y) { THAW_BY_KIND(GateOf, gate, up, size, y) }
static void GateGradient(Activation kind, const float* g, const float* gate, const float* up, int64_t size, float* dGate, float* dUp) {
  THAW_BY_KIND(GateGradientOf, g, gate, up, size, dGate, dUp)
}
#undef THAW_BY_KIND

static void Rotary(const float* x, const float* cos, const float* sin, int64_t rows, int64_t heads, int64_t depth, int64_t tableRows, bool isInverse, float* y) {
  const int64_t half = depth / 2;
  const float sign = isInverse ? -1.0f : 1.0f;
  ParallelFor(rows, 3 * heads * depth, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t table = (row % tableRows) * depth;
      // The gradient takes each sine where the value that it multiplied came from.
      const float* firstSine = sin + table + (isInverse ? half : 0);
      const float* secondSine = sin + table + (isInverse ? 0 : half);
      for (int64_t head = 0; head < heads; head++) {
        const float* in = x + (row * heads + head) * depth;
        float* out = y + (row * heads + head) * depth;
        Each(half, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
          const Vec first = lanes.Get(in + at), second = lanes.Get(in + half + at);
          lanes.Put(out + at, first * lanes.Get(cos + table + at) - second * lanes.Get(firstSine + at) * sign);
          lanes.Put(out + half + at, second * lanes.Get(cos + table + half + at) + first * lanes.Get(secondSine + at) * sign);
        });
      }
    }
  });
}

// As torch.optim.AdamW; see packages/core/src/optimize/adamw.ts for how the bias corrections are folded into two scalars.
static void AdamW(const AdamScalars& s, const float* parameter, const float* m, const float* v, const float* gradient, int64_t size, float* newParameter, float* newM, float* newV) {
  ParallelFor((size + W - 1) / W, 8 * W, [=](int64_t begin, int64_t end) {
    const int64_t start = begin * W;
    Each((end * W < size ? end * W : size) - start, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
      const Vec g = lanes.Get(gradient + start + at);
      const Vec first = lanes.Get(m + start + at) * s.beta1 + g * s.newM;
      const Vec second = lanes.Get(v + start + at) * s.beta2 + g * g * s.newV;
      Vec root;
      for (int lane = 0; lane < W; lane++) root[lane] = __builtin_sqrtf(second[lane]);
      lanes.Put(newM + start + at, first);
      lanes.Put(newV + start + at, second);
      lanes.Put(newParameter + start + at, lanes.Get(parameter + start + at) * s.decay - first / (root + s.epsilon) * s.size);
    });
  });
}

static float SumOfSquares(const float* x, int64_t size) {
  constexpr int64_t kStretch = 1 << 14;
  const int64_t stretches = (size + kStretch - 1) / kStretch;
  std::vector<float> parts(stretches, 0.0f);
  ParallelFor(stretches, 2 * kStretch, [&](int64_t begin, int64_t end) {
    for (int64_t stretch = begin; stretch < end; stretch++) {
      const float* in = x + stretch * kStretch;
      Vec sums{};
      Each(size - stretch * kStretch < kStretch ? size - stretch * kStretch : kStretch, [&](int64_t at, auto lanes) __attribute__((always_inline)) {
        const Vec value = lanes.Get(in + at);
        sums += value * value;
      });
      parts[stretch] = Sum(sums);
    }
  });
  double total = 0;
  for (const float part : parts) total += part;
  return static_cast<float>(total);
}

}  // namespace THAW_ISA
}  // namespace thaw
