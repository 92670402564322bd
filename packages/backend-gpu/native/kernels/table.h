// What every instruction set offers: plain pointers to float32, row-major; nothing here knows TensorFlow.
#pragma once

#include <cstdint>

namespace thaw {

// x sigmoid(u(x)): SiLU with u = x, OpenAI CLIP's QuickGELU with u = 1.702 x, GELU's tanh approximation with u = 2 sqrt(2/pi) (x + 0.044715 x^3).
enum class Activation : int32_t { kSilu = 0, kQuickGelu = 1, kGeluTanh = 2 };

// Attention within samples whose rows lie next to one another: sample s has the query rows spans[4 s] to spans[4 s + 1] and the key rows spans[4 s + 2]
// to spans[4 s + 3]. Query heads share key heads in groups of heads / keyHeads. Rows hold one head after the other.
struct AttentionShape {
  int64_t samples, heads, keyHeads, depth;
  float scale;
  const int32_t* spans;
  // For each query row, the first of its sample's keys that it sees and the one behind the last, counted from the sample's first key; null for no bound.
  const int32_t* first;
  const int32_t* end;
};

// a [rows, inner] times b [inner, columns]; turned: stored with the axes exchanged.
struct ProductShape {
  int64_t rows, columns, inner;
  bool isATurned, isBTurned;
};

// A matrix in 4 or 8 bits, as packages/autograd/src/quantized/layout.ts lays it out in words: codes, the table of what each byte stands for, scales of
// blocks; nestedBlock > 0: scales are bytes themselves, and their table, their own scales and one offset follow.
struct QuantizedShape {
  int64_t size, bits, block, nestedBlock;
  int64_t Blocks() const { return (size + block - 1) / block; }
  int64_t NestedBlocks() const { return (Blocks() + nestedBlock - 1) / nestedBlock; }
  int64_t Codes() const { return (Blocks() * block * bits + 31) / 32; }
  int64_t Table() const { return 256 * (8 / bits); }
  int64_t Scales() const { return nestedBlock == 0 ? Blocks() : (NestedBlocks() * nestedBlock + 3) / 4; }
  int64_t Words() const { return Codes() + Table() + Scales() + (nestedBlock == 0 ? 0 : 256 + NestedBlocks() + 1); }
};

// m' = beta1 m + newM g; v' = beta2 v + newV g^2; p' = decay p - size m' / (sqrt(v') + epsilon)
struct AdamScalars {
  float beta1, beta2, newM, newV, size, epsilon, decay;
};

struct KernelTable {
  const char* name;
  // y = x inverse (gain + offset), inverse [rows] = 1 / sqrt(mean(x^2) + epsilon)
  void (*rmsNorm)(const float* x, const float* gain, int64_t rows, int64_t width, float epsilon, float offset, float* y, float* inverse);
  // dGain may be null; addend [rows, width], which may be null too, is added to dx.
  void (*rmsNormGradient)(const float* gradient, const float* x, const float* gain, const float* inverse, const float* addend, int64_t rows, int64_t width, float offset, float* dx, float* dGain);
  void (*layerNorm)(const float* x, const float* gain, const float* bias, int64_t rows, int64_t width, float epsilon, float* y, float* mean, float* inverse);
  // dGain and dBias may be null, both, and so may addend.
  void (*layerNormGradient)(const float* gradient, const float* x, const float* gain, const float* mean, const float* inverse, const float* addend, int64_t rows, int64_t width, float* dx, float* dGain, float* dBias);
  void (*activation)(Activation kind, const float* x, int64_t size, float* y);
  void (*activationGradient)(Activation kind, const float* gradient, const float* x, int64_t size, float* dx);
  // y = activation(gate) up
  void (*gate)(Activation kind, const float* gate, const float* up, int64_t size, float* y);
  void (*gateGradient)(Activation kind, const float* gradient, const float* gate, const float* up, int64_t size, float* dGate, float* dUp);
  // Rotate-half rotary positions on rows of heads, x [rows, heads * depth]; cos and sin [tableRows, depth], used again and again. isInverse: the gradient.
  void (*rotary)(const float* x, const float* cos, const float* sin, int64_t rows, int64_t heads, int64_t depth, int64_t tableRows, bool isInverse, float* y);
  // q, out [queries, heads * depth]; k, v [keys, keyHeads * depth]. Rows in no span are left as they are.
  void (*attention)(const AttentionShape& shape, const float* q, const float* k, const float* v, float* out);
  void (*attentionGradient)(const AttentionShape& shape, const float* gradient, const float* q, const float* k, const float* v, float* dq, float* dk, float* dv);
  // bias [columns] and addend [rows, columns] may be null, and addend may be c.
  void (*product)(const ProductShape& shape, const float* a, const float* b, const float* bias, const float* addend, float* c);
  void (*adamW)(const AdamScalars& scalars, const float* parameter, const float* m, const float* v, const float* gradient, int64_t size, float* newParameter, float* newM, float* newV);
  float (*sumOfSquares)(const float* x, int64_t size);
  // The numbers that the words stand for, to the bit those of packages/autograd/src/quantized/dequantize.ts.
  void (*dequantize)(const QuantizedShape& shape, const float* words, float* values);
};

}  // namespace thaw
