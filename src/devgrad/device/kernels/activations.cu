// Activations and their derivatives, element by element: the formulas of `device/_formulas.py`.

#include "teams.cuh"

template <typename T> __device__ inline T magnitude(T x) { return x < (T)0 ? -x : x; }

// The normal probability of more than `size`, which is not negative.
template <typename T> __device__ inline T normal_tail(T size) {
    return (T)0.5 * erfc(size * (T)0.70710678118654752440);
}

struct Silu {
    template <typename T> __device__ T operator()(T x) const { return x / (exp(-x) + (T)1); }
};

struct SiluSlope {
    template <typename T> __device__ T operator()(T g, T x) const {
        T s = (T)1 / (exp(-x) + (T)1);
        return g * ((((T)1 - s) * x + (T)1) * s);
    }
};

struct Gelu {
    template <typename T> __device__ T operator()(T x) const {
        T size = magnitude(x);
        size = size > (T)1e4 ? (T)1e4 : size;  // infinity is not to be multiplied with zero
        return (x < (T)0 ? (T)0 : x) - normal_tail(size) * size;
    }
};

struct GeluSlope {
    template <typename T> __device__ T operator()(T g, T x) const {
        T below = (T)0.5 - normal_tail(magnitude(x));
        T density = exp(x * x * (T)-0.5) * (T)0.39894228040143267794;
        return ((x < (T)0 ? -below : below) + (T)0.5 + density * x) * g;
    }
};

// 1 + tanh(u) of the approximation by tanh: the root of 2 / pi, and 0.044715 times that.
template <typename T> __device__ inline T gelu_tanh(T x) {
    return tanh((x * x * (T)0.035677408136300125 + (T)0.79788456080286535588) * x) + (T)1;
}

struct GeluTanh {
    template <typename T> __device__ T operator()(T x) const { return gelu_tanh(x) * x * (T)0.5; }
};

struct GeluTanhSlope {
    template <typename T> __device__ T operator()(T g, T x) const {
        T t = gelu_tanh(x);
        T slope = x * x * (T)0.10703222440890038 + (T)0.79788456080286535588;
        return (slope * x * ((T)2 - t) + (T)1) * t * (T)0.5 * g;
    }
};

#define FOR_ELEMENTS(i, n)                                                                       \
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (n);                            \
         i += (i64)gridDim.x * blockDim.x)

template <typename Function, typename T>
__device__ inline void each(Function function, const T* x, T* out, i64 n) {
    FOR_ELEMENTS(i, n) out[i] = function(x[i]);
}

template <typename Function, typename T>
__device__ inline void each(Function function, const T* g, const T* x, T* out, i64 n) {
    FOR_ELEMENTS(i, n) out[i] = function(g[i], x[i]);
}

#define OF_ONE(NAME, FUNCTION)                                                                   \
    template <typename T> __device__ void NAME(const T* x, T* out, i64 n) {                      \
        each(FUNCTION(), x, out, n);                                                             \
    }
#define OF_TWO(NAME, FUNCTION)                                                                   \
    template <typename T> __device__ void NAME(const T* g, const T* x, T* out, i64 n) {          \
        each(FUNCTION(), g, x, out, n);                                                          \
    }

OF_ONE(silu, Silu)
OF_ONE(gelu, Gelu)
OF_ONE(gelu_by_tanh, GeluTanh)
OF_TWO(silu_backward, SiluSlope)
OF_TWO(gelu_backward, GeluSlope)
OF_TWO(gelu_by_tanh_backward, GeluTanhSlope)

FLOATS(silu, (const T* x, T* out, i64 n), (x, out, n))
FLOATS(gelu, (const T* x, T* out, i64 n), (x, out, n))
FLOATS(gelu_by_tanh, (const T* x, T* out, i64 n), (x, out, n))
FLOATS(silu_backward, (const T* g, const T* x, T* out, i64 n), (g, x, out, n))
FLOATS(gelu_backward, (const T* g, const T* x, T* out, i64 n), (g, x, out, n))
FLOATS(gelu_by_tanh_backward, (const T* g, const T* x, T* out, i64 n), (g, x, out, n))
