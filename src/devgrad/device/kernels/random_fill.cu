// Fills an array with random numbers: element i depends on seed, offset and i alone.
//
// `../_philox.py` computes the same numbers in NumPy, bit for bit. That takes three things: only
// additions, multiplications, divisions and square roots, which IEEE 754 defines to the last bit; no
// fused multiply-add (compile with --fmad=false); and our own logarithm, sine, cosine and exponential
// made of these, as the libraries' differ in the last bit. They are Taylor series: the arguments are
// reduced to where few terms suffice.

#include "philox.cuh"

template <typename T> struct Real;

template <> struct Real<float> {
    typedef u32 Bits;
    enum { PER_BLOCK = 4, MANTISSA = 23, BIAS = 127, LOG_TERMS = 6, SIN_TERMS = 5, EXP_TERMS = 8 };
    static __device__ float ln2_high() { return 0.693359375f; }  // few bits: products are exact
    static __device__ float ln2_low() { return -2.12194440e-4f; }
    static __device__ Bits sqrt_half() { return 0x3F3504F3u; }
    static __device__ float bound() { return 120.0f; }  // exp overflows before
};

template <> struct Real<double> {
    typedef u64 Bits;
    enum { PER_BLOCK = 2, MANTISSA = 52, BIAS = 1023, LOG_TERMS = 12, SIN_TERMS = 9, EXP_TERMS = 14 };
    static __device__ double ln2_high() { return 6.93147180369123816490e-01; }
    static __device__ double ln2_low() { return 1.90821492927058770002e-10; }
    static __device__ Bits sqrt_half() { return 0x3FE6A09E667F3BCDull; }
    static __device__ double bound() { return 1000.0; }
};

template <typename To, typename From> __device__ inline To bit_cast(From value) {
    union { From from; To to; } both;
    both.from = value;
    return both.to;
}

__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }
__device__ inline float round_down(float x) { return floorf(x); }
__device__ inline double round_down(double x) { return floor(x); }

// --- uniform ------------------------------------------------------------------------------------

// The bits for number j of a block: one word for a float, two for a double.
__device__ inline u32 bits_of(const Words& words, int j, float) { return words.word[j]; }
__device__ inline u64 bits_of(const Words& words, int j, double) {
    return (u64)words.word[2 * j] << 32 | words.word[2 * j + 1];
}

// [0, 1) in steps of 2^-24 and 2^-53.
__device__ inline float unit(u32 bits) { return (float)(bits >> 8) * 5.9604644775390625e-8f; }
__device__ inline double unit(u64 bits) { return (double)(bits >> 11) * 1.1102230246251565e-16; }

// (0, 1], as a logarithm wants it.
__device__ inline float positive_unit(u32 bits) {
    return (float)bits * 2.3283064365386963e-10f + 1.1641532182693481e-10f;
}
__device__ inline double positive_unit(u64 bits) {
    return (double)(bits >> 11) * 1.1102230246251565e-16 + 5.5511151231257827e-17;
}

// --- functions ----------------------------------------------------------------------------------

// log x for x in (0, 1]: x = 2^e m with m near 1, and log m = 2 artanh((m - 1) / (m + 1)).
template <typename T> __device__ inline T logarithm(T x) {
    typedef Real<T> R;
    typedef typename R::Bits Bits;
    const Bits one = (Bits)R::BIAS << R::MANTISSA;
    Bits bits = bit_cast<Bits>(x) + (one - R::sqrt_half());
    T e = (T)((int)(bits >> R::MANTISSA) - R::BIAS);
    T m = bit_cast<T>((bits & (((Bits)1 << R::MANTISSA) - 1)) + R::sqrt_half());
    T f = m - (T)1;
    T s = f / ((T)2 + f);
    T z = s * s;
    T sum = (T)1 / (T)(2 * R::LOG_TERMS - 1);
    for (int k = R::LOG_TERMS - 2; k > 0; --k) sum = sum * z + (T)1 / (T)(2 * k + 1);
    T s2 = s + s;
    return e * R::ln2_high() + (s2 + (s2 * (z * sum) + e * R::ln2_low()));
}

// 1 / k!, which is rounded once as k! is exact.
template <typename T> __device__ inline T reciprocal_factorial(int k) {
    T product = (T)1;
    for (int i = 2; i <= k; ++i) product = product * (T)i;
    return (T)1 / product;
}

// Sine and cosine of an angle that is uniform on the circle; neither is ever zero.
template <typename T> __device__ inline void on_circle(T x, u32 quarter, T& sine, T& cosine) {
    typedef Real<T> R;
    T z = x * x;
    T s = (T)0, c = (T)0;
    for (int k = R::SIN_TERMS; k > 0; --k) {
        T sign = k & 1 ? (T)-1 : (T)1;
        c = z * (c + sign * reciprocal_factorial<T>(2 * k));
        if (k < R::SIN_TERMS) s = z * (s + sign * reciprocal_factorial<T>(2 * k + 1));
    }
    s = x + x * s;
    c = (T)1 + c;
    T a = quarter & 1 ? c : s, b = quarter & 1 ? s : c;
    sine = quarter & 2 ? -a : a;
    cosine = quarter == 1 || quarter == 2 ? -b : b;
}
__device__ inline void on_circle(u32 bits, float& sine, float& cosine) {
    u32 quarter = (bits + 0x20000000u) >> 30;  // the nearest multiple of a right angle
    int rest = (int)(bits - (quarter << 30));
    on_circle<float>(((float)rest + 0.5f) * 1.4629180792671596e-9f, quarter, sine, cosine);
}
__device__ inline void on_circle(u64 bits, double& sine, double& cosine) {
    u64 quarter = (bits + 0x2000000000000000ull) >> 62;
    long long rest = (long long)(bits - (quarter << 62));
    on_circle<double>(((double)rest + 0.5) * 3.4061215800865545e-19, (u32)quarter, sine, cosine);
}

// exp x = 2^k exp r with |r| <= log(2) / 2.
template <typename T> __device__ inline T exponential_function(T x) {
    typedef Real<T> R;
    typedef typename R::Bits Bits;
    x = x < -R::bound() ? -R::bound() : x > R::bound() ? R::bound() : x;
    T k = round_down(x * (T)1.4426950408889634 + (T)0.5);
    T r = (x - k * R::ln2_high()) - k * R::ln2_low();
    T sum = (T)0;
    for (int i = R::EXP_TERMS - 1; i > 0; --i) sum = r * (sum + reciprocal_factorial<T>(i));
    sum = (T)1 + sum;
    int whole = (int)k, half = whole >> 1;
    sum = sum * bit_cast<T>((Bits)(half + R::BIAS) << R::MANTISSA);
    return sum * bit_cast<T>((Bits)(whole - half + R::BIAS) << R::MANTISSA);
}

// --- distributions: all the numbers that one block of words gives -----------------------------------

template <typename T> struct Uniform {
    T low, span, high;
    __device__ void operator()(const Words& words, T* out) const {
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j) {
            T value = unit(bits_of(words, j, T())) * span + low;
            out[j] = value >= high ? low : value;  // rounding may reach the bound
        }
    }
};

// Standard normals in pairs, by Box and Muller (1958).
template <typename T> __device__ inline void normals(const Words& words, T* out) {
    for (int j = 0; j < Real<T>::PER_BLOCK; j += 2) {
        T radius = square_root((T)-2 * logarithm(positive_unit(bits_of(words, j, T()))));
        T sine, cosine;
        on_circle(bits_of(words, j + 1, T()), sine, cosine);
        out[j] = radius * cosine;
        out[j + 1] = radius * sine;
    }
}

template <typename T> struct Normal {
    T mean, std;
    __device__ void operator()(const Words& words, T* out) const {
        normals(words, out);
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j) out[j] = out[j] * std + mean;
    }
};

template <typename T> struct LogNormal {
    T mean, std;
    __device__ void operator()(const Words& words, T* out) const {
        normals(words, out);
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j)
            out[j] = exponential_function(out[j] * std + mean);
    }
};

template <typename T> struct Exponential {
    T scale, least;  // `least` stands for what rounding made zero
    __device__ void operator()(const Words& words, T* out) const {
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j) {
            T value = -logarithm(positive_unit(bits_of(words, j, T())));
            out[j] = (value > least ? value : least) * scale;
        }
    }
};

template <typename T> struct Cauchy {
    T median, sigma;
    __device__ void operator()(const Words& words, T* out) const {
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j) {
            T sine, cosine;
            on_circle(bits_of(words, j, T()), sine, cosine);
            out[j] = (sine / cosine) * sigma + median;
        }
    }
};

struct Bernoulli {
    u64 limit;  // the probability times 2^32
    __device__ void operator()(const Words& words, bool* out) const {
        for (int j = 0; j < 4; ++j) out[j] = words.word[j] < limit;
    }
};

// Dropout: the scale where something is kept, zero elsewhere.
template <typename T> struct Kept {
    T probability, scale;
    __device__ void operator()(const Words& words, T* out) const {
        for (int j = 0; j < Real<T>::PER_BLOCK; ++j)
            out[j] = unit(bits_of(words, j, T())) < probability ? scale : (T)0;
    }
};

struct Integers {
    u64 span, base;  // a span of 0 stands for 2^64
    __device__ void operator()(const Words& words, long long* out) const {
        for (int j = 0; j < 2; ++j) {
            u64 bits = bits_of(words, j, double());
            out[j] = (long long)((span ? bits % span : bits) + base);
        }
    }
};

// --- kernels --------------------------------------------------------------------------------------

template <typename T, int PER_BLOCK, typename Distribution>
__device__ inline void fill(
    T* out, u64 size, u64 seed, u64 offset, const Distribution& distribution
) {
    u64 blocks = (size + PER_BLOCK - 1) / PER_BLOCK;
    u64 stride = (u64)gridDim.x * blockDim.x;
    for (u64 block = (u64)blockIdx.x * blockDim.x + threadIdx.x; block < blocks; block += stride) {
        T values[PER_BLOCK];
        distribution(philox(seed, offset, block), values);
        for (int j = 0; j < PER_BLOCK; ++j)
            if (block * PER_BLOCK + j < size) out[block * PER_BLOCK + j] = values[j];
    }
}

#define FILL2(NAME, TYPE, PER_BLOCK, DISTRIBUTION, PARAMETER)                                    \
    extern "C" __global__ void NAME(                                                             \
        TYPE* out, u64 size, u64 seed, u64 offset, PARAMETER a, PARAMETER b                      \
    ) {                                                                                          \
        DISTRIBUTION distribution = {a, b};                                                      \
        fill<TYPE, PER_BLOCK>(out, size, seed, offset, distribution);                            \
    }

FILL2(normal_float32, float, 4, Normal<float>, float)
FILL2(normal_float64, double, 2, Normal<double>, double)
FILL2(log_normal_float32, float, 4, LogNormal<float>, float)
FILL2(log_normal_float64, double, 2, LogNormal<double>, double)
FILL2(exponential_float32, float, 4, Exponential<float>, float)
FILL2(exponential_float64, double, 2, Exponential<double>, double)
FILL2(cauchy_float32, float, 4, Cauchy<float>, float)
FILL2(cauchy_float64, double, 2, Cauchy<double>, double)
FILL2(kept_float32, float, 4, Kept<float>, float)
FILL2(kept_float64, double, 2, Kept<double>, double)
FILL2(integers_int64, long long, 2, Integers, u64)

extern "C" __global__ void uniform_float32(
    float* out, u64 size, u64 seed, u64 offset, float low, float span, float high
) {
    Uniform<float> distribution = {low, span, high};
    fill<float, 4>(out, size, seed, offset, distribution);
}

extern "C" __global__ void uniform_float64(
    double* out, u64 size, u64 seed, u64 offset, double low, double span, double high
) {
    Uniform<double> distribution = {low, span, high};
    fill<double, 2>(out, size, seed, offset, distribution);
}

extern "C" __global__ void bernoulli_bool(bool* out, u64 size, u64 seed, u64 offset, u64 limit) {
    Bernoulli distribution = {limit};
    fill<bool, 4>(out, size, seed, offset, distribution);
}
