// One step of an optimizer for all parameters in one launch.
//
// `table` has four numbers for each parameter: the addresses of its elements and of its gradient,
// where its state begins in the flat arrays of the state, and how many elements it has. Of the grid,
// y goes through the parameters and x through the elements of each. The arithmetic is that of
// `optim/sgd.py` and `optim/adam.py`, operation by operation; no fused multiply-add, and so their
// very numbers.

#include "teams.cuh"

enum { MAXIMIZE = 1, NESTEROV = 2, FRESH = 4 };

template <typename T> struct Parameter {
    T* p;
    const T* g;
    i64 start, size;
    __device__ Parameter(const i64* table, i64 i)
        : p((T*)table[4 * i]), g((const T*)table[4 * i + 1]), start(table[4 * i + 2]),
          size(table[4 * i + 3]) {}
};

#define FOR_PARAMETERS(i, count) for (i64 i = blockIdx.y; i < (count); i += gridDim.y)
#define FOR_ELEMENTS(k, n)                                                                       \
    for (i64 k = (i64)blockIdx.x * blockDim.x + threadIdx.x; k < (n);                            \
         k += (i64)gridDim.x * blockDim.x)

// What is to be descended.
template <typename T> __device__ inline T slope(T p, T g, T decay, i64 flags) {
    if (decay != (T)0) return flags & MAXIMIZE ? p * decay - g : p * decay + g;
    return flags & MAXIMIZE ? -g : g;
}

template <typename T>
__device__ void sgd(
    const i64* table, i64 count, T* buffers, i64 flags, T lr, T decay, T momentum, T share
) {
    FOR_PARAMETERS(i, count) {
        Parameter<T> x(table, i);
        FOR_ELEMENTS(k, x.size) {
            T g = slope(x.p[k], x.g[k], decay, flags);
            if (buffers) {
                T& v = buffers[x.start + k];
                v = flags & FRESH ? g : v * momentum + g * share;
                g = flags & NESTEROV ? v * momentum + g : v;
            }
            x.p[k] -= g * lr;
        }
    }
}

template <typename T>
__device__ void adam(
    const i64* table, i64 count, T* means, T* squares, T* tops, i64 flags, T shrink, T decay,
    T share1, T beta2, T share2, T eps, T rate
) {
    FOR_PARAMETERS(i, count) {
        Parameter<T> x(table, i);
        FOR_ELEMENTS(k, x.size) {
            i64 at = x.start + k;
            T p = x.p[k], g = slope(p, x.g[k], decay, flags);
            T m = means[at] + (g - means[at]) * share1;
            T v = squares[at] * beta2 + g * g * share2;
            means[at] = m;
            squares[at] = v;
            if (tops) v = tops[at] = Most()(tops[at], v);
            x.p[k] = p * shrink - m / (sqrt(v) + eps) * rate;
        }
    }
}

FLOATS(
    sgd,
    (const i64* table, i64 count, T* buffers, i64 flags, T lr, T decay, T momentum, T share),
    (table, count, buffers, flags, lr, decay, momentum, share)
)
FLOATS(
    adam,
    (const i64* table, i64 count, T* means, T* squares, T* tops, i64 flags, T shrink, T decay,
     T share1, T beta2, T share2, T eps, T rate),
    (table, count, means, squares, tops, flags, shrink, decay, share1, beta2, share2, eps, rate)
)
