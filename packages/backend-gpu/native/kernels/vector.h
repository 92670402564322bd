// Vectors of W floats in the instruction set for which this file is included, THAW_ISA. No include guard: it is included once a set.

#undef THAW_INLINE
#undef THAW_INLINE_MEMBER
#define THAW_INLINE static inline __attribute__((always_inline))
#define THAW_INLINE_MEMBER inline __attribute__((always_inline))

namespace thaw {
namespace THAW_ISA {

constexpr int W = THAW_WIDTH;
typedef float Vec __attribute__((vector_size(4 * THAW_WIDTH)));
typedef int32_t IntVec __attribute__((vector_size(4 * THAW_WIDTH)));


THAW_INLINE Vec Load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

THAW_INLINE void Store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }

// x in every lane: subtracting 0 changes nothing, not even -0, so it costs nothing.
THAW_INLINE Vec Set(float x) { return x - Vec{}; }

THAW_INLINE Vec Max(Vec a, Vec b) { return a > b ? a : b; }
THAW_INLINE Vec Min(Vec a, Vec b) { return a < b ? a : b; }

THAW_INLINE float Sum(Vec v) {
  float lanes[W];
  __builtin_memcpy(lanes, &v, sizeof v);
  for (int half = W / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

THAW_INLINE float Largest(Vec v) {
  float lanes[W];
  __builtin_memcpy(lanes, &v, sizeof v);
  float largest = lanes[0];
  for (int lane = 1; lane < W; lane++) largest = lanes[lane] > largest ? lanes[lane] : largest;
  return largest;
}

// e^x, about 1 ulp; 0 below -87, where the result would be no normal number. Cephes' expf (S. Moshier, netlib.org/cephes, single/expf.c).
THAW_INLINE Vec Exp(Vec x) {
  const Vec low = Set(-87.0f);
  const Vec clamped = Min(Max(x, low), Set(88.3762626647949f));
  const Vec shift = Set(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vec whole = (clamped * Set(1.44269504088896341f) + shift) - shift;
  const Vec rest = clamped - whole * Set(0.693359375f) - whole * Set(-2.12194440e-4f);
  Vec p = Set(1.9875691500e-4f);
  p = p * rest + Set(1.3981999507e-3f);
  p = p * rest + Set(8.3334519073e-3f);
  p = p * rest + Set(4.1665795894e-2f);
  p = p * rest + Set(1.6666665459e-1f);
  p = p * rest + Set(5.0000001201e-1f);
  p = p * rest * rest + rest + Set(1.0f);
  const IntVec exponent = (__builtin_convertvector(whole, IntVec) + 127) << 23;
  Vec power;
  __builtin_memcpy(&power, &exponent, sizeof power);
  return x < low ? Vec{} : p * power;
}

THAW_INLINE Vec Sigmoid(Vec x) { return Set(1.0f) / (Set(1.0f) + Exp(-x)); }

// How a stretch of a row is read and written: all W lanes, or the row's last few (the others read as 0).
struct Full {
  THAW_INLINE_MEMBER Vec Get(const float* p) const { return Load(p); }
  THAW_INLINE_MEMBER void Put(float* p, Vec v) const { Store(p, v); }
};

struct Part {
  int64_t count;
  THAW_INLINE_MEMBER Vec Get(const float* p) const {
    Vec v{};
    __builtin_memcpy(&v, p, 4 * count);
    return v;
  }
  THAW_INLINE_MEMBER void Put(float* p, Vec v) const { __builtin_memcpy(p, &v, 4 * count); }
};

// Calls f(offset, lanes) for each stretch of [0, size).
template <typename F>
THAW_INLINE void Each(int64_t size, const F& f) {
  int64_t offset = 0;
  for (; offset + W <= size; offset += W) f(offset, Full{});
  if (offset < size) f(offset, Part{size - offset});
}

}  // namespace THAW_ISA
}  // namespace thaw
