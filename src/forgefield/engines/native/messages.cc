// What atoms send each other in the training of PaiNN: the partial derivatives of one multilinear form,
//   sum over b, i, j, f of (sum over k of c[b,i,j,k] w[b,k,f]) · (sum over d of u[b,i,j,d] x[b,j,d,f] y[b,i,d,f]),
// whose derivatives of any order are such partial derivatives again. c are channels of pairs, w filters, x what atoms
// send and y what they receive; with u, directions of pairs, x has one column for all d. No array of pairs times
// features is ever made: for a register of features at a time all of it stays in registers and the first cache.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

// Floats of a register, and pairs whose filters are summed side by side: their sums must fit the registers.
#if defined(__AVX512F__)
constexpr int kStrip = 16, kPairs = 8;
#elif defined(__AVX__)
constexpr int kStrip = 8, kPairs = 4;
#else
constexpr int kStrip = 4, kPairs = 4;
#endif
typedef float Strip __attribute__((vector_size(kStrip * sizeof(float)), aligned(4), may_alias));

// Rows of the filters' derivative that are summed side by side.
constexpr int kRows = 8;

enum class Kind { kPlain, kSpread, kCollect };

struct Form {
  int64_t batch, receivers, senders, channels, features, sent_columns, columns;
  bool shared;
  const float *c, *w, *x, *y, *u;
  float *result;

  int64_t pairs() const { return receivers * senders; }
  int64_t sent() const { return senders * sent_columns * features; }
  int64_t received() const { return receivers * columns * features; }
};

inline Strip At(const float *from) { return *reinterpret_cast<const Strip *>(from); }
inline void Put(float *to, Strip strip) { *reinterpret_cast<Strip *>(to) = strip; }

inline float Sum(Strip strip) {
  float sum = 0.0f;
  for (int k = 0; k < kStrip; ++k) sum += strip[k];
  return sum;
}

// Calls f with a size as a type, for loops of a length that the compiler knows.
template <int MOST, typename F>
inline void Sized(int64_t size, F &&f) {
  if constexpr (MOST > 0) {
    if (size == MOST) return f(std::integral_constant<int, MOST>{});
    Sized<MOST - 1>(size, f);
  }
}

// Calls f with the first and the number of each portion. They are as even as can be: a sum of few terms side by side
// waits for itself.
template <int MOST, typename F>
inline void InPortions(int64_t n, F &&f) {
  const int64_t portions = (n + MOST - 1) / MOST;
  for (int64_t k = 0; k < portions; ++k) {
    const int64_t first = n * k / portions;
    Sized<MOST>(n * (k + 1) / portions - first, [&](auto size) { f(first, size); });
  }
}

// Filters of some pairs, for a strip of features; `w` holds the strip's weights of all channels.
template <int P>
inline void Filters(const float *c, int64_t gap, const Strip *w, int64_t channels, Strip (&filters)[P]) {
  for (int p = 0; p < P; ++p) filters[p] = Strip{};
  for (int64_t k = 0; k < channels; ++k)
    for (int p = 0; p < P; ++p) filters[p] += c[p * gap + k] * w[k];
}

void Pack(const float *w, int64_t channels, int64_t features, std::vector<Strip> &packed) {
  packed.resize(channels);
  for (int64_t k = 0; k < channels; ++k) packed[k] = At(w + k * features);
}

// For each of `outer` atoms the sum over `inner` others: of what they send, or of what is asked of them.
template <int COLUMNS, Kind KIND>
void Summed(const Form &form, const float *given, int64_t outer, int64_t inner, int64_t step, int64_t gap) {
  constexpr int kIn = KIND == Kind::kSpread ? 1 : COLUMNS, kOut = KIND == Kind::kCollect ? 1 : COLUMNS;
  const int64_t f = form.features, k = form.channels;
  std::vector<Strip> w;
  for (int64_t strip = 0; strip < f; strip += kStrip)
    for (int64_t b = 0; b < form.batch; ++b) {
      if (b == 0 || !form.shared) Pack(form.w + (form.shared ? 0 : b * k * f) + strip, k, f, w);
      const float *c = form.c + b * form.pairs() * k, *from = given + b * inner * kIn * f + strip;
      const float *u = KIND == Kind::kPlain ? nullptr : form.u + b * form.pairs() * 3;
      for (int64_t a = 0; a < outer; ++a) {
        Strip sum[kOut] = {};
        InPortions<kPairs>(inner, [&](int64_t first, auto size) {
          constexpr int P = decltype(size)::value;
          Strip filters[P];
          Filters<P>(c + (a * step + first * gap) * k, gap * k, w.data(), k, filters);
          for (int p = 0; p < P; ++p) {
            const float *x = from + (first + p) * kIn * f;
            const float *along = KIND == Kind::kPlain ? nullptr : u + (a * step + (first + p) * gap) * 3;
            if constexpr (KIND == Kind::kPlain) {
              for (int d = 0; d < COLUMNS; ++d) sum[d] += filters[p] * At(x + d * f);
            } else if constexpr (KIND == Kind::kSpread) {
              const Strip sent = filters[p] * At(x);
              for (int d = 0; d < COLUMNS; ++d) sum[d] += along[d] * sent;
            } else {
              Strip asked = along[0] * At(x);
              for (int d = 1; d < COLUMNS; ++d) asked += along[d] * At(x + d * f);
              sum[0] += filters[p] * asked;
            }
          }
        });
        for (int d = 0; d < kOut; ++d) Put(form.result + ((b * outer + a) * kOut + d) * f + strip, sum[d]);
      }
    }
}

// What the filter of a pair is multiplied by, for a strip of features.
template <int COLUMNS, bool ALONG>
inline Strip Partner(const float *x, const float *y, const float *u, int64_t f) {
  if constexpr (ALONG) {
    Strip sum = u[0] * At(y);
    for (int d = 1; d < COLUMNS; ++d) sum += u[d] * At(y + d * f);
    return sum * At(x);
  }
  Strip sum = At(x) * At(y);
  for (int d = 1; d < COLUMNS; ++d) sum += At(x + d * f) * At(y + d * f);
  return sum;
}

template <int COLUMNS, bool ALONG>
void ByChannels(const Form &form) {
  constexpr int kSent = ALONG ? 1 : COLUMNS;
  const int64_t f = form.features, k = form.channels, wide = (k + kStrip - 1) / kStrip;
  std::vector<Strip> turned(wide * f);
  std::vector<float> partners(kPairs * f);
  for (int64_t b = 0; b < form.batch; ++b) {
    if (b == 0 || !form.shared) {
      const float *w = form.w + (form.shared ? 0 : b * k * f);
      float *to = reinterpret_cast<float *>(turned.data());
      std::fill(to, to + wide * f * kStrip, 0.0f);
      for (int64_t row = 0; row < k; ++row)
        for (int64_t at = 0; at < f; ++at) to[(row / kStrip * f + at) * kStrip + row % kStrip] = w[row * f + at];
    }
    for (int64_t i = 0; i < form.receivers; ++i) {
      const float *y = form.y + b * form.received() + i * COLUMNS * f;
      InPortions<kPairs>(form.senders, [&](int64_t first, auto size) {
        constexpr int P = decltype(size)::value;
        const int64_t pair = (b * form.receivers + i) * form.senders + first;
        for (int p = 0; p < P; ++p) {
          const float *x = form.x + b * form.sent() + (first + p) * kSent * f;
          const float *u = ALONG ? form.u + (pair + p) * 3 : nullptr;
          for (int64_t at = 0; at < f; at += kStrip)
            Put(partners.data() + p * f + at, Partner<COLUMNS, ALONG>(x + at, y + at, u, f));
        }
        for (int64_t part = 0; part < wide; ++part) {
          Strip sum[P] = {};
          const Strip *w = turned.data() + part * f;
          for (int64_t at = 0; at < f; ++at)
            for (int p = 0; p < P; ++p) sum[p] += partners[p * f + at] * w[at];
          const int64_t n = std::min<int64_t>(kStrip, k - part * kStrip);
          for (int p = 0; p < P; ++p)
            std::memcpy(form.result + (pair + p) * k + part * kStrip, &sum[p], n * sizeof(float));
        }
      });
    }
  }
}

template <int COLUMNS, bool ALONG>
void ByFilters(const Form &form) {
  constexpr int kSent = ALONG ? 1 : COLUMNS;
  const int64_t f = form.features, k = form.channels, m = form.senders;
  std::vector<Strip> partners(m), sums(k);
  for (int64_t strip = 0; strip < f; strip += kStrip)
    for (int64_t b = 0; b < form.batch; ++b) {
      if (b == 0 || !form.shared) std::fill(sums.begin(), sums.end(), Strip{});
      for (int64_t i = 0; i < form.receivers; ++i) {
        const int64_t pair = (b * form.receivers + i) * m;
        const float *y = form.y + b * form.received() + i * COLUMNS * f + strip, *c = form.c + pair * k;
        const float *x = form.x + b * form.sent() + strip;
        for (int64_t j = 0; j < m; ++j)
          partners[j] = Partner<COLUMNS, ALONG>(x + j * kSent * f, y, ALONG ? form.u + (pair + j) * 3 : nullptr, f);
        InPortions<kRows>(k, [&](int64_t first, auto size) {
          constexpr int R = decltype(size)::value;
          Strip sum[R];
          for (int r = 0; r < R; ++r) sum[r] = sums[first + r];
          for (int64_t j = 0; j < m; ++j)
            for (int r = 0; r < R; ++r) sum[r] += c[j * k + first + r] * partners[j];
          for (int r = 0; r < R; ++r) sums[first + r] = sum[r];
        });
      }
      if (b + 1 == form.batch || !form.shared)
        for (int64_t row = 0; row < k; ++row)
          Put(form.result + ((form.shared ? 0 : b) * k + row) * f + strip, sums[row]);
    }
}

void ByDirections(const Form &form) {
  const int64_t f = form.features, k = form.channels;
  std::vector<std::vector<Strip>> w(f / kStrip);
  for (int64_t b = 0; b < form.batch; ++b) {
    if (b == 0 || !form.shared)
      for (int64_t s = 0; s < f / kStrip; ++s) Pack(form.w + (form.shared ? 0 : b * k * f) + s * kStrip, k, f, w[s]);
    for (int64_t i = 0; i < form.receivers; ++i) {
      const float *y = form.y + b * form.received() + i * 3 * f;
      InPortions<kPairs>(form.senders, [&](int64_t first, auto size) {
        constexpr int P = decltype(size)::value;
        const int64_t pair = (b * form.receivers + i) * form.senders + first;
        Strip sum[P][3] = {};
        for (int64_t s = 0; s < f / kStrip; ++s) {
          Strip filters[P];
          Filters<P>(form.c + pair * k, k, w[s].data(), k, filters);
          for (int p = 0; p < P; ++p) {
            const Strip sent = filters[p] * At(form.x + b * form.sent() + (first + p) * f + s * kStrip);
            for (int d = 0; d < 3; ++d) sum[p][d] += sent * At(y + d * f + s * kStrip);
          }
        }
        for (int p = 0; p < P; ++p)
          for (int d = 0; d < 3; ++d) form.result[(pair + p) * 3 + d] = Sum(sum[p][d]);
      });
    }
  }
}

template <int COLUMNS, bool ALONG>
void Compute(const Form &form, int64_t missing) {
  const int64_t n = form.receivers, m = form.senders;
  constexpr Kind spread = ALONG ? Kind::kSpread : Kind::kPlain, collect = ALONG ? Kind::kCollect : Kind::kPlain;
  switch (missing) {
    case 0:
      return ByChannels<COLUMNS, ALONG>(form);
    case 1:
      return ByFilters<COLUMNS, ALONG>(form);
    case 2:
      return Summed<COLUMNS, collect>(form, form.y, m, n, 1, m);
    case 3:
      return Summed<COLUMNS, spread>(form, form.x, n, m, m, 1);
    default:
      return ByDirections(form);
  }
}

// `missing` is the place of the factor by which the form is differentiated among c, w, x, y and u.
ffi::Error Messages(ffi::RemainingArgs factors, ffi::Result<ffi::AnyBuffer> result, int64_t missing, bool along,
                    bool own, int64_t batch, int64_t receivers, int64_t senders, int64_t channels, int64_t features,
                    int64_t columns) {
  const float *given[5] = {};
  int64_t at = 0;
  for (int64_t k = 0; k < (along ? 5 : 4); ++k) {
    if (k == missing) continue;
    auto buffer = factors.get<ffi::AnyBuffer>(at++);
    if (!buffer.has_value()) return ffi::Error::InvalidArgument("a factor of messages is missing");
    given[k] = static_cast<const float *>(buffer->untyped_data());
  }
  Form form{batch, receivers, senders, channels, features, along ? 1 : columns, columns, !own,
            given[0], given[1], given[2], given[3], given[4], static_cast<float *>(result->untyped_data())};
  if (along)
    Compute<3, true>(form, missing);
  else if (columns == 1)
    Compute<1, false>(form, missing);
  else
    Compute<3, false>(form, missing);
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(ForgeFieldMessages, Messages,
                              ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .Ret<ffi::AnyBuffer>()
                                  .Attr<int64_t>("missing")
                                  .Attr<bool>("along")
                                  .Attr<bool>("own")
                                  .Attr<int64_t>("batch")
                                  .Attr<int64_t>("receivers")
                                  .Attr<int64_t>("senders")
                                  .Attr<int64_t>("channels")
                                  .Attr<int64_t>("features")
                                  .Attr<int64_t>("columns"));

// Bits of the registers that the kernel computes in.
extern "C" int ForgeFieldVectorBits() { return 32 * kStrip; }
