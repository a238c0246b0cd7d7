// Energy and gradient of PaiNN (Schütt, Unke and Gastegger 2021) for the all-pairs graphs of small molecules:
// one forward and one reverse pass per molecule, molecules spread over the threads of XLA's pool.
//
// Float32 in the network, double for positions, distances and the final gradient. Each unordered pair is handled
// once: its filters serve the messages in both directions.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

// The loop's arrays do not overlap; compilers do not see it of so many.
#ifdef __clang__
#define NO_OVERLAP _Pragma("clang loop vectorize(assume_safety)")
#else
#define NO_OVERLAP _Pragma("GCC ivdep")
#endif

namespace ffi = xla::ffi;

namespace {

// Floats of a register, and how many of them a tile is wide: its sums, 6 × kPanels, one row of the right factor and one
// number of the left one must fit the registers, or they go to memory and back at every step.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kPanels = 4;  // 32 registers
#elif defined(__AVX__)
constexpr int kLanes = 8, kPanels = 2;  // 16 registers
#else
constexpr int kLanes = 4, kPanels = 2;  // 16 registers of SSE2; of NEON's 32 a wider tile leaves too few
#endif
// Columns of weights that stand together: a line of the cache.
constexpr int kStrip = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

struct Sizes {
  int64_t features, blocks, channels;
  double cutoff, core_cutoff, coulomb;
  bool gaussian, cosine;
};

// One affine map: weights, bias, transposed weights, both in strips of columns.
struct Map {
  const float *weight, *bias, *transposed;
  int64_t inputs, outputs;
};

struct Block {
  Map context_in, context_out, mixing, update_in, update_out;
  const float *filters;
};

struct Network {
  const float *embedding;
  const double *charges;  // of the nuclei
  int64_t elements;
  std::vector<Block> blocks;
  Map readout_in, readout_out;
};

class Cursor {
 public:
  explicit Cursor(const float *at) : at_(at) {}
  const float *Take(int64_t n) {
    const float *here = at_;
    at_ += n;
    return here;
  }
  Map TakeMap(int64_t inputs, int64_t outputs, bool bias = true) {
    Map map{Take(inputs * outputs), nullptr, nullptr, inputs, outputs};
    if (bias) map.bias = Take(outputs);
    map.transposed = Take(inputs * outputs);
    return map;
  }

 private:
  const float *at_;
};

Network Unpack(const float *packed, const double *charges, const Sizes &s, int64_t elements) {
  const int64_t n = s.features;
  Cursor cursor(packed);
  Network network;
  network.charges = charges;
  network.elements = elements;
  network.embedding = cursor.Take(elements * n);
  for (int64_t k = 0; k < s.blocks; ++k) {
    Block block;
    block.context_in = cursor.TakeMap(n, n);
    block.context_out = cursor.TakeMap(n, 3 * n);
    block.filters = cursor.Take(s.channels * 3 * n);
    block.mixing = cursor.TakeMap(n, 2 * n, false);
    block.update_in = cursor.TakeMap(2 * n, n);
    block.update_out = cursor.TakeMap(n, 3 * n);
    network.blocks.push_back(block);
  }
  network.readout_in = cursor.TakeMap(n, n / 2);
  network.readout_out = cursor.TakeMap(n / 2, 1);
  return network;
}

// The weight of column `at` in the first row. Weights stand in strips of kStrip columns, each of them row by row.
inline const float *Strip(const float *b, int64_t inner, int64_t at) {
  return b + at / kStrip * kStrip * inner + at % kStrip;
}

// ROWS rows of C = A B (+ bias), PANELS registers wide, with all sums in registers. `gap` is the size of a strip.
template <int ROWS, int PANELS>
inline void Tile(const float *a, int64_t lda, const float *b, int64_t gap, const float *bias, float *c, int64_t ldc,
                 int64_t inner) {
  Lanes sum[ROWS][PANELS];
  for (int p = 0; p < PANELS; ++p) {
    Lanes start = {};
    if (bias) start = *reinterpret_cast<const Lanes *>(bias + p * kLanes);
    for (int r = 0; r < ROWS; ++r) sum[r][p] = start;
  }
  for (int64_t k = 0; k < inner; ++k) {
    Lanes row[PANELS];
    for (int p = 0; p < PANELS; ++p)
      row[p] = *reinterpret_cast<const Lanes *>(b + k * kStrip + p * kLanes / kStrip * gap + p * kLanes % kStrip);
    for (int r = 0; r < ROWS; ++r)
      for (int p = 0; p < PANELS; ++p) sum[r][p] += a[r * lda + k] * row[p];
  }
  for (int r = 0; r < ROWS; ++r)
    for (int p = 0; p < PANELS; ++p) *reinterpret_cast<Lanes *>(c + r * ldc + p * kLanes) = sum[r][p];
}

template <int PANELS>
void Columns(const float *a, int64_t lda, const float *b, int64_t gap, const float *bias, float *c, int64_t ldc,
             int64_t rows, int64_t inner) {
  int64_t r = 0;
  for (; r + 6 <= rows; r += 6) Tile<6, PANELS>(a + r * lda, lda, b, gap, bias, c + r * ldc, ldc, inner);
  a += r * lda;
  c += r * ldc;
  switch (rows - r) {
    case 5: return Tile<5, PANELS>(a, lda, b, gap, bias, c, ldc, inner);
    case 4: return Tile<4, PANELS>(a, lda, b, gap, bias, c, ldc, inner);
    case 3: return Tile<3, PANELS>(a, lda, b, gap, bias, c, ldc, inner);
    case 2: return Tile<2, PANELS>(a, lda, b, gap, bias, c, ldc, inner);
    case 1: return Tile<1, PANELS>(a, lda, b, gap, bias, c, ldc, inner);
  }
}

// C[rows, columns] = A[rows, inner] B (+ bias), of the first `inner` rows and `columns` columns of B, which has `height`
// rows; columns are a multiple of 16.
void Product(const float *a, int64_t lda, const float *b, int64_t height, const float *bias, float *c, int64_t ldc,
             int64_t rows, int64_t inner, int64_t columns) {
  constexpr int64_t kWide = kPanels * kLanes;
  const int64_t gap = height * kStrip;
  int64_t at = 0;
  for (; at + kWide <= columns; at += kWide)
    Columns<kPanels>(a, lda, Strip(b, height, at), gap, bias ? bias + at : nullptr, c + at, ldc, rows, inner);
  for (; at < columns; at += kLanes)
    Columns<1>(a, lda, Strip(b, height, at), gap, bias ? bias + at : nullptr, c + at, ldc, rows, inner);
}

void Apply(const Map &map, const float *x, float *y, int64_t rows, int64_t columns) {
  Product(x, map.inputs, map.weight, map.inputs, map.bias, y, columns, rows, map.inputs, columns);
}

void ApplyTransposed(const Map &map, const float *g, float *x, int64_t rows, int64_t outputs) {
  Product(g, outputs, map.transposed, map.outputs, nullptr, x, map.inputs, rows, outputs, map.inputs);
}

// y = z σ(z); z becomes the slope σ(z) (1 + z (1 - σ(z))).
void Silu(float *z, float *y, int64_t n) {
  NO_OVERLAP
  for (int64_t k = 0; k < n; ++k) {
    const float gate = 1.0f / (1.0f + std::exp(-z[k]));
    y[k] = z[k] * gate;
    z[k] = gate * (1.0f + z[k] * (1.0f - gate));
  }
}

void Multiply(float *x, const float *y, int64_t n) {
  for (int64_t k = 0; k < n; ++k) x[k] *= y[k];
}

// By the bits, since arithmetic is compiled as if all numbers were finite.
bool Finite(const double *x) {
  for (int c = 0; c < 3; ++c) {
    uint64_t bits;
    std::memcpy(&bits, x + c, sizeof(bits));
    if ((bits >> 52 & 0x7ff) == 0x7ff) return false;
  }
  return true;
}

// The vector from one atom to another, and its squared length.
inline double Apart(const double *from, const double *to, double *d) {
  double square = 0.0;
  for (int c = 0; c < 3; ++c) {
    d[c] = to[c] - from[c];
    square += d[c] * d[c];
  }
  return square;
}

struct Pair {
  int64_t i, j;
  double r, u[3];
  float slope, pull[3];
};

struct Saved {
  std::vector<float> sent, context_slope, vectors, filters, kept, scaled, norm, dot, update_slope, update;
};

class Molecule {
 public:
  Molecule(const Sizes &sizes, const Network &network) : s_(sizes), net_(network), saved_(sizes.blocks) {}

  void Evaluate(const double *x, const int64_t *element, int64_t n, double *energy, double *gradient) {
    n_ = n;
    for (int64_t a = 0; a < n; ++a) {
      if (element[a] < 0 || element[a] >= net_.elements || !Finite(x + 3 * a)) {
        std::fill(energy, energy + n, std::numeric_limits<double>::quiet_NaN());
        std::fill(gradient, gradient + 3 * n, std::numeric_limits<double>::quiet_NaN());
        return;
      }
    }
    FindPairs(x);
    const int64_t f = s_.features;
    scalars_.resize(n * f);
    for (int64_t a = 0; a < n; ++a)
      std::memcpy(&scalars_[a * f], net_.embedding + element[a] * f, f * sizeof(float));
    vectors_.assign(n * 3 * f, 0.0f);
    for (int64_t k = 0; k < s_.blocks; ++k) {
      Exchange(net_.blocks[k], saved_[k], k == 0);
      Update(net_.blocks[k], saved_[k]);
    }
    Readout(energy);
    for (int64_t k = s_.blocks - 1; k >= 0; --k) {
      ReverseUpdate(net_.blocks[k], saved_[k], k == s_.blocks - 1);
      ReverseExchange(net_.blocks[k], saved_[k], k == 0);
    }
    Gradient(gradient);
    Cores(x, element, energy, gradient);
  }

 private:
  void FindPairs(const double *x) {
    pairs_.clear();
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = i + 1; j < n_; ++j) {
        double d[3];
        const double square = Apart(x + 3 * i, x + 3 * j, d);
        if (square >= s_.cutoff * s_.cutoff) continue;
        Pair pair{i, j, std::sqrt(square), {0, 0, 0}, 0.0f, {0, 0, 0}};
        const double inverse = pair.r > 1e-30 ? 1.0 / pair.r : 0.0;
        for (int c = 0; c < 3; ++c) pair.u[c] = d[c] * inverse;
        pairs_.push_back(pair);
      }
    }
    const int64_t channels = s_.channels;
    radial_.resize(pairs_.size() * channels);
    slopes_.resize(pairs_.size() * channels);
    for (size_t p = 0; p < pairs_.size(); ++p)
      Channels(pairs_[p].r, &radial_[p * channels], &slopes_[p * channels]);
  }

  // Basis times envelope, then the envelope, with slopes.
  void Channels(double r, float *value, float *slope) const {
    const int64_t n = s_.channels - 1;
    const double x = r / s_.cutoff;
    double factor, fall;
    if (s_.cosine) {
      factor = 0.5 * (1.0 + std::cos(M_PI * x));
      fall = -0.5 * M_PI / s_.cutoff * std::sin(M_PI * x);
    } else {
      const double left = 1.0 - x;
      factor = left * left * left * (1.0 + x * (3.0 + 6.0 * x));
      fall = -30.0 / s_.cutoff * x * x * left * left;
    }
    if (s_.gaussian) {
      const double width = s_.cutoff / (n - 1);
      NO_OVERLAP
      for (int64_t k = 0; k < n; ++k) {
        const double off = r / width - k;
        const double bell = std::exp(-0.5 * off * off);
        value[k] = bell * factor;
        slope[k] = bell * (fall - off / width * factor);
      }
    } else {
      Sines(r, factor, fall, value, slope, n);
    }
    value[n] = factor;
    slope[n] = fall;
  }

  void Sines(double r, double factor, double fall, float *value, float *slope, int64_t n) const {
    const double first = M_PI / s_.cutoff;
    const double sine = std::sin(first * r), cosine = std::cos(first * r);
    double s = sine, c = cosine;
    for (int64_t k = 1; k <= n; ++k) {
      const double w = first * k, t = w * r;
      double b, db;
      if (t < 0.01) {  // the closed forms cancel
        b = w * (1.0 - t * t / 6.0);
        db = -w * w * t / 3.0;
      } else {
        b = s / r;
        db = (t * c - s) / (r * r);
      }
      value[k - 1] = b * factor;
      slope[k - 1] = db * factor + b * fall;
      const double next = s * cosine + c * sine;
      c = c * cosine - s * sine;
      s = next;
    }
  }

  void Exchange(const Block &block, Saved &save, bool first) {
    const int64_t f = s_.features, width = first ? 2 * f : 3 * f, n_pairs = pairs_.size();
    hidden_.resize(n_ * f);
    save.context_slope.resize(n_ * f);
    save.sent.resize(n_ * width);
    Apply(block.context_in, scalars_.data(), save.context_slope.data(), n_, f);
    Silu(save.context_slope.data(), hidden_.data(), n_ * f);
    Apply(block.context_out, hidden_.data(), save.sent.data(), n_, width);
    save.filters.resize(n_pairs * width);
    Product(radial_.data(), s_.channels, block.filters, s_.channels, nullptr, save.filters.data(), width, n_pairs,
            s_.channels, width);
    save.vectors = vectors_;
    for (int64_t p = 0; p < n_pairs; ++p) {
      const Pair &pair = pairs_[p];
      Messages(pair, &save.filters[p * width], &save.sent[pair.i * width], &save.sent[pair.j * width],
               &save.vectors[pair.i * 3 * f], &save.vectors[pair.j * 3 * f], first);
    }
  }

  void Messages(const Pair &pair, const float *__restrict w, const float *__restrict xi, const float *__restrict xj,
                const float *__restrict vi, const float *__restrict vj, bool first) {
    const int64_t f = s_.features;
    float *__restrict si = &scalars_[pair.i * f];
    float *__restrict sj = &scalars_[pair.j * f];
    float *__restrict ni = &vectors_[pair.i * 3 * f];
    float *__restrict nj = &vectors_[pair.j * 3 * f];
    const float u0 = pair.u[0], u1 = pair.u[1], u2 = pair.u[2];
    NO_OVERLAP
    for (int64_t k = 0; k < f; ++k) {
      si[k] += w[k] * xj[k];
      sj[k] += w[k] * xi[k];
      const float bj = w[f + k] * xj[f + k], bi = w[f + k] * xi[f + k];
      ni[k] += bj * u0;
      ni[f + k] += bj * u1;
      ni[2 * f + k] += bj * u2;
      nj[k] -= bi * u0;
      nj[f + k] -= bi * u1;
      nj[2 * f + k] -= bi * u2;
    }
    if (first) return;
    NO_OVERLAP
    for (int64_t k = 0; k < f; ++k) {
      const float cj = w[2 * f + k] * xj[2 * f + k], ci = w[2 * f + k] * xi[2 * f + k];
      ni[k] += cj * vj[k];
      ni[f + k] += cj * vj[f + k];
      ni[2 * f + k] += cj * vj[2 * f + k];
      nj[k] += ci * vi[k];
      nj[f + k] += ci * vi[f + k];
      nj[2 * f + k] += ci * vi[2 * f + k];
    }
  }

  void Update(const Block &block, Saved &save) {
    const int64_t f = s_.features;
    mixed_.resize(n_ * 6 * f);
    save.kept.resize(n_ * 3 * f);
    save.scaled.resize(n_ * 3 * f);
    Apply(block.mixing, vectors_.data(), mixed_.data(), 3 * n_, 2 * f);
    save.norm.resize(n_ * f);
    save.dot.resize(n_ * f);
    input_.resize(n_ * 2 * f);
    for (int64_t a = 0; a < n_; ++a) {
      float *__restrict kept = &save.kept[a * 3 * f];
      float *__restrict scaled = &save.scaled[a * 3 * f];
      float *__restrict norm = &save.norm[a * f];
      float *__restrict dot = &save.dot[a * f];
      const float *__restrict m = &mixed_[a * 6 * f];
      NO_OVERLAP
      for (int64_t k = 0; k < f; ++k) {
        const float v0 = m[k], v1 = m[2 * f + k], v2 = m[4 * f + k];
        const float w0 = m[f + k], w1 = m[3 * f + k], w2 = m[5 * f + k];
        kept[k] = v0, kept[f + k] = v1, kept[2 * f + k] = v2;
        scaled[k] = w0, scaled[f + k] = w1, scaled[2 * f + k] = w2;
        norm[k] = std::sqrt(v0 * v0 + v1 * v1 + v2 * v2 + 1e-8f);
        dot[k] = v0 * w0 + v1 * w1 + v2 * w2;
      }
      std::memcpy(&input_[a * 2 * f], &scalars_[a * f], f * sizeof(float));
      std::memcpy(&input_[a * 2 * f + f], norm, f * sizeof(float));
    }
    save.update_slope.resize(n_ * f);
    save.update.resize(n_ * 3 * f);
    Apply(block.update_in, input_.data(), save.update_slope.data(), n_, f);
    Silu(save.update_slope.data(), hidden_.data(), n_ * f);
    Apply(block.update_out, hidden_.data(), save.update.data(), n_, 3 * f);
    for (int64_t a = 0; a < n_; ++a) {
      const float *__restrict y = &save.update[a * 3 * f];
      const float *__restrict scaled = &save.scaled[a * 3 * f];
      const float *__restrict dot = &save.dot[a * f];
      float *__restrict s = &scalars_[a * f];
      float *__restrict v = &vectors_[a * 3 * f];
      NO_OVERLAP
      for (int64_t k = 0; k < f; ++k) {
        s[k] += y[k] + y[2 * f + k] * dot[k];
        v[k] += y[f + k] * scaled[k];
        v[f + k] += y[f + k] * scaled[f + k];
        v[2 * f + k] += y[f + k] * scaled[2 * f + k];
      }
    }
  }

  void Readout(double *energy) {
    const int64_t f = s_.features, half = f / 2;
    std::vector<float> z(n_ * half), y(n_ * half);
    Apply(net_.readout_in, scalars_.data(), z.data(), n_, half);
    Silu(z.data(), y.data(), n_ * half);
    for (int64_t a = 0; a < n_; ++a) {
      float sum = 0.0f;
      NO_OVERLAP
      for (int64_t k = 0; k < half; ++k) {
        sum += y[a * half + k] * net_.readout_out.weight[k];
        z[a * half + k] *= net_.readout_out.weight[k];
      }
      energy[a] = sum + net_.readout_out.bias[0];
    }
    scalar_slope_.resize(n_ * f);
    ApplyTransposed(net_.readout_in, z.data(), scalar_slope_.data(), n_, half);
    vector_slope_.assign(n_ * 3 * f, 0.0f);
  }

  void ReverseUpdate(const Block &block, const Saved &save, bool last) {
    const int64_t f = s_.features;
    back_.resize(n_ * 3 * f);
    for (int64_t a = 0; a < n_; ++a) {
      const float *__restrict gs = &scalar_slope_[a * f];
      const float *__restrict gv = &vector_slope_[a * 3 * f];
      const float *__restrict w = &save.scaled[a * 3 * f];
      float *__restrict g = &back_[a * 3 * f];
      NO_OVERLAP
      for (int64_t k = 0; k < f; ++k) {
        g[k] = gs[k];
        g[f + k] = gv[k] * w[k] + gv[f + k] * w[f + k] + gv[2 * f + k] * w[2 * f + k];
        g[2 * f + k] = gs[k] * save.dot[a * f + k];
      }
    }
    ApplyTransposed(block.update_out, back_.data(), hidden_.data(), n_, 3 * f);
    Multiply(hidden_.data(), save.update_slope.data(), n_ * f);
    input_.resize(n_ * 2 * f);
    ApplyTransposed(block.update_in, hidden_.data(), input_.data(), n_, f);
    for (int64_t a = 0; a < n_; ++a) {
      float *__restrict gs = &scalar_slope_[a * f];
      const float *__restrict gv = &vector_slope_[a * 3 * f];
      const float *__restrict v = &save.kept[a * 3 * f];
      const float *__restrict w = &save.scaled[a * 3 * f];
      const float *__restrict y = &save.update[a * 3 * f];
      const float *__restrict in = &input_[a * 2 * f];
      const float *__restrict norm = &save.norm[a * f];
      float *__restrict m = &mixed_[a * 6 * f];
      NO_OVERLAP
      for (int64_t k = 0; k < f; ++k) {
        const float coupling = gs[k] * y[2 * f + k], along = in[f + k] / norm[k], stretch = y[f + k];
        m[k] = along * v[k] + coupling * w[k];
        m[2 * f + k] = along * v[f + k] + coupling * w[f + k];
        m[4 * f + k] = along * v[2 * f + k] + coupling * w[2 * f + k];
        m[f + k] = coupling * v[k] + stretch * gv[k];
        m[3 * f + k] = coupling * v[f + k] + stretch * gv[f + k];
        m[5 * f + k] = coupling * v[2 * f + k] + stretch * gv[2 * f + k];
        gs[k] += in[k];
      }
    }
    spare_.resize(n_ * 3 * f);
    ApplyTransposed(block.mixing, mixed_.data(), spare_.data(), 3 * n_, 2 * f);
    if (last) {
      std::swap(vector_slope_, spare_);
    } else {
      for (int64_t k = 0; k < n_ * 3 * f; ++k) vector_slope_[k] += spare_[k];
    }
  }

  void ReverseExchange(const Block &block, const Saved &save, bool first) {
    const int64_t f = s_.features, width = first ? 2 * f : 3 * f, n_pairs = pairs_.size();
    filter_slopes_.resize(n_pairs * width);
    Product(slopes_.data(), s_.channels, block.filters, s_.channels, nullptr, filter_slopes_.data(), width, n_pairs,
            s_.channels, width);
    back_.assign(n_ * width, 0.0f);
    spare_ = vector_slope_;
    for (int64_t p = 0; p < n_pairs; ++p) ReversePair(pairs_[p], p, save, width, first);
    ApplyTransposedPart(block.context_out, back_.data(), hidden_.data(), width);
    Multiply(hidden_.data(), save.context_slope.data(), n_ * f);
    input_.resize(n_ * 2 * f);
    ApplyTransposed(block.context_in, hidden_.data(), input_.data(), n_, f);
    for (int64_t k = 0; k < n_ * f; ++k) scalar_slope_[k] += input_[k];
    std::swap(vector_slope_, spare_);
  }

  void ApplyTransposedPart(const Map &map, const float *g, float *x, int64_t width) {
    Product(g, width, map.transposed, map.outputs, nullptr, x, map.inputs, n_, width, map.inputs);
  }

  void ReversePair(Pair &pair, int64_t p, const Saved &save, int64_t width, bool first) {
    const int64_t f = s_.features, i = pair.i, j = pair.j;
    const float *__restrict w = &save.filters[p * width];
    const float *__restrict dw = &filter_slopes_[p * width];
    const float *__restrict xi = &save.sent[i * width];
    const float *__restrict xj = &save.sent[j * width];
    const float *__restrict si = &scalar_slope_[i * f];
    const float *__restrict sj = &scalar_slope_[j * f];
    const float *__restrict gi = &vector_slope_[i * 3 * f];
    const float *__restrict gj = &vector_slope_[j * 3 * f];
    float *__restrict bi = &back_[i * width];
    float *__restrict bj = &back_[j * width];
    const float u0 = pair.u[0], u1 = pair.u[1], u2 = pair.u[2];
    float slope = 0.0f, p0 = 0.0f, p1 = 0.0f, p2 = 0.0f;
    NO_OVERLAP
    for (int64_t k = 0; k < f; ++k) {
      bj[k] += w[k] * si[k];
      bi[k] += w[k] * sj[k];
      slope += dw[k] * (si[k] * xj[k] + sj[k] * xi[k]);
      const float ai = gi[k] * u0 + gi[f + k] * u1 + gi[2 * f + k] * u2;
      const float aj = -(gj[k] * u0 + gj[f + k] * u1 + gj[2 * f + k] * u2);
      bj[f + k] += w[f + k] * ai;
      bi[f + k] += w[f + k] * aj;
      slope += dw[f + k] * (ai * xj[f + k] + aj * xi[f + k]);
      const float tj = w[f + k] * xj[f + k], ti = w[f + k] * xi[f + k];
      p0 += tj * gi[k] - ti * gj[k];
      p1 += tj * gi[f + k] - ti * gj[f + k];
      p2 += tj * gi[2 * f + k] - ti * gj[2 * f + k];
    }
    if (!first) slope += ReverseVectors(pair, w, dw, xi, xj, gi, gj, bi, bj, save);
    pair.slope += slope;
    pair.pull[0] += p0, pair.pull[1] += p1, pair.pull[2] += p2;
  }

  float ReverseVectors(const Pair &pair, const float *__restrict w, const float *__restrict dw,
                       const float *__restrict xi, const float *__restrict xj, const float *__restrict gi,
                       const float *__restrict gj, float *__restrict bi, float *__restrict bj, const Saved &save) {
    const int64_t f = s_.features;
    const float *__restrict vi = &save.vectors[pair.i * 3 * f];
    const float *__restrict vj = &save.vectors[pair.j * 3 * f];
    float *__restrict ni = &spare_[pair.i * 3 * f];
    float *__restrict nj = &spare_[pair.j * 3 * f];
    float slope = 0.0f;
    NO_OVERLAP
    for (int64_t k = 0; k < f; ++k) {
      const float wc = w[2 * f + k];
      const float mi = gi[k] * vj[k] + gi[f + k] * vj[f + k] + gi[2 * f + k] * vj[2 * f + k];
      const float mj = gj[k] * vi[k] + gj[f + k] * vi[f + k] + gj[2 * f + k] * vi[2 * f + k];
      bj[2 * f + k] += wc * mi;
      bi[2 * f + k] += wc * mj;
      slope += dw[2 * f + k] * (mi * xj[2 * f + k] + mj * xi[2 * f + k]);
      const float cj = wc * xj[2 * f + k], ci = wc * xi[2 * f + k];
      nj[k] += cj * gi[k];
      nj[f + k] += cj * gi[f + k];
      nj[2 * f + k] += cj * gi[2 * f + k];
      ni[k] += ci * gj[k];
      ni[f + k] += ci * gj[f + k];
      ni[2 * f + k] += ci * gj[2 * f + k];
    }
    return slope;
  }

  // From slopes along pairs to those by positions: ∂r/∂x_j = u, ∂u/∂x_j = (1 - u uᵀ) / r.
  void Gradient(double *gradient) const {
    std::fill(gradient, gradient + 3 * n_, 0.0);
    for (const Pair &pair : pairs_) {
      double along = 0.0;
      for (int c = 0; c < 3; ++c) along += pair.pull[c] * pair.u[c];
      const double inverse = 1.0 / std::max(pair.r, 1e-6);
      for (int c = 0; c < 3; ++c) {
        const double g = pair.slope * pair.u[c] + (pair.pull[c] - along * pair.u[c]) * inverse;
        gradient[3 * pair.j + c] += g;
        gradient[3 * pair.i + c] -= g;
      }
    }
  }

  // The screened repulsion of nuclei (Ziegler, Biersack and Littmark 1985), which ends with two derivatives.
  void Cores(const double *x, const int64_t *element, double *energy, double *gradient) const {
    constexpr double kWeights[] = {0.18175, 0.50986, 0.28022, 0.02817}, kRates[] = {3.19980, 0.94229, 0.40290, 0.20162};
    constexpr double kLength = 0.46850, kPower = 0.23, kShortest = 1e-3;
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = i + 1; j < n_; ++j) {
        double d[3];
        const double square = Apart(x + 3 * i, x + 3 * j, d);
        if (square >= s_.core_cutoff * s_.core_cutoff) continue;
        const double z = net_.charges[element[i]], other = net_.charges[element[j]];
        const double reach = (std::pow(z, kPower) + std::pow(other, kPower)) / kLength;
        const double r = std::max(std::sqrt(square), kShortest), at = r / s_.core_cutoff, left = 1.0 - at;
        double screening = 0.0, fall = 0.0;
        for (int k = 0; k < 4; ++k) {
          const double part = kWeights[k] * std::exp(-kRates[k] * reach * r);
          screening += part;
          fall -= kRates[k] * reach * part;
        }
        const double envelope = left * left * left * (1.0 + at * (3.0 + 6.0 * at));
        const double end = -30.0 / s_.core_cutoff * at * at * left * left;
        const double bare = s_.coulomb * z * other / r, whole = bare * screening * envelope;
        energy[i] += 0.5 * whole;
        energy[j] += 0.5 * whole;
        if (square <= kShortest * kShortest) continue;  // nearer it grows no more
        const double slope = bare * (fall * envelope + screening * end) - whole / r;
        for (int c = 0; c < 3; ++c) {
          gradient[3 * j + c] += slope * d[c] / r;
          gradient[3 * i + c] -= slope * d[c] / r;
        }
      }
  }

  const Sizes s_;
  const Network &net_;
  int64_t n_ = 0;
  std::vector<Pair> pairs_;
  std::vector<Saved> saved_;
  std::vector<float> radial_, slopes_, scalars_, vectors_, hidden_, mixed_, input_, back_, spare_, filter_slopes_;
  std::vector<float> scalar_slope_, vector_slope_;
};

struct Task {
  int64_t replica, first, atoms;
};

// Runs tasks on the pool and the calling thread, which never waits for a thread that has not begun.
struct Work {
  std::vector<Task> tasks;
  std::atomic<int64_t> next{0}, done{0};
};

ffi::Error Painn(ffi::ThreadPool pool, ffi::Buffer<ffi::F64> positions, ffi::Buffer<ffi::S64> element,
                 ffi::Buffer<ffi::S64> molecule, ffi::Buffer<ffi::F32> packed, ffi::Buffer<ffi::F64> charges,
                 ffi::ResultBuffer<ffi::F64> energy, ffi::ResultBuffer<ffi::F64> gradient, int64_t features,
                 int64_t blocks, int64_t channels, int64_t elements, double cutoff, double core_cutoff, double coulomb,
                 bool gaussian, bool cosine) {
  const Sizes sizes{features, blocks, channels, cutoff, core_cutoff, coulomb, gaussian, cosine};
  const int64_t n = element.element_count();
  if (n == 0) return ffi::Error::Success();
  const int64_t replicas = positions.element_count() / (3 * n);
  const int64_t *of = molecule.typed_data();
  auto work = std::make_shared<Work>();
  for (int64_t replica = 0; replica < replicas; ++replica)
    for (int64_t a = 0, b; a < n; a = b) {
      for (b = a + 1; b < n && of[b] == of[a]; ++b) {
      }
      work->tasks.push_back({replica, a, b - a});
    }
  std::sort(work->tasks.begin(), work->tasks.end(), [](const Task &x, const Task &y) { return x.atoms > y.atoms; });
  auto network = std::make_shared<Network>(Unpack(packed.typed_data(), charges.typed_data(), sizes, elements));
  const double *x = positions.typed_data();
  const int64_t *rows = element.typed_data();
  double *e = energy->typed_data(), *g = gradient->typed_data();
  auto run = [work, network, sizes, x, rows, e, g, n] {
    Molecule machine(sizes, *network);
    const int64_t total = work->tasks.size();
    for (int64_t k = work->next.fetch_add(1); k < total; k = work->next.fetch_add(1)) {
      const Task &t = work->tasks[k];
      const int64_t at = t.replica * n + t.first;
      machine.Evaluate(x + 3 * at, rows + t.first, t.atoms, e + at, g + 3 * at);
      work->done.fetch_add(1, std::memory_order_release);
    }
  };
  const int64_t total = work->tasks.size();
  const int64_t helpers = std::min<int64_t>(pool.num_threads(), total) - 1;
  for (int64_t k = 0; k < helpers; ++k) pool.Schedule([run] { run(); });
  run();
  while (work->done.load(std::memory_order_acquire) < total) std::this_thread::yield();
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ForgeFieldPainn, Painn,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F64>>()
                                  .Arg<ffi::Buffer<ffi::S64>>()
                                  .Arg<ffi::Buffer<ffi::S64>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F64>>()
                                  .Ret<ffi::Buffer<ffi::F64>>()
                                  .Ret<ffi::Buffer<ffi::F64>>()
                                  .Attr<int64_t>("features")
                                  .Attr<int64_t>("blocks")
                                  .Attr<int64_t>("channels")
                                  .Attr<int64_t>("elements")
                                  .Attr<double>("cutoff")
                                  .Attr<double>("core_cutoff")
                                  .Attr<double>("coulomb")
                                  .Attr<bool>("gaussian")
                                  .Attr<bool>("cosine"));

// Bits of the registers that the kernel computes in.
extern "C" int ForgeFieldVectorBits() { return 32 * kLanes; }
