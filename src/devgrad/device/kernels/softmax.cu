// Softmax and its like along the middle dimension of (outer, n, inner): a row is what is read with
// a step of `inner`. Each is one launch, where the formula in functions of arrays takes five.

#include "teams.cuh"

__device__ inline i64 first_of(i64 row, i64 n, i64 inner) {
    return row / inner * n * inner + row % inner;
}

// The greatest number of a row, and the sum of the exponentials of what the others lack to it.
template <typename T>
__device__ inline void exponentials(const T* x, i64 n, i64 inner, bool here, T& most, T& total) {
    i64 end = here ? n : 0;
    T found = here ? x[0] : (T)0;
    FOR_MEMBERS(k, end) found = Most()(found, x[k * inner]);
    most = over_team(found, Most());
    found = (T)0;
    FOR_MEMBERS(k, end) found += exp(x[k * inner] - most);
    total = over_team(found, Sum());
}

template <typename T> __device__ void softmax(const T* x, T* out, i64 rows, i64 n, i64 inner) {
    FOR_ROWS(row, rows) {
        bool here = row < rows;
        i64 first = here ? first_of(row, n, inner) : 0;
        T most, total;
        exponentials(x + first, n, inner, here, most, total);
        FOR_MEMBERS(k, here ? n : 0)
            out[first + k * inner] = exp(x[first + k * inner] - most) / total;
    }
}

template <typename T> __device__ void log_softmax(const T* x, T* out, i64 rows, i64 n, i64 inner) {
    FOR_ROWS(row, rows) {
        bool here = row < rows;
        i64 first = here ? first_of(row, n, inner) : 0;
        T most, total;
        exponentials(x + first, n, inner, here, most, total);
        T log_total = log(total);
        FOR_MEMBERS(k, here ? n : 0)
            out[first + k * inner] = x[first + k * inner] - most - log_total;
    }
}

template <typename T>
__device__ void softmax_backward(const T* g, const T* y, T* out, i64 rows, i64 n, i64 inner) {
    FOR_ROWS(row, rows) {
        i64 end = row < rows ? n : 0, first = row < rows ? first_of(row, n, inner) : 0;
        T sum = (T)0;
        FOR_MEMBERS(k, end) sum += g[first + k * inner] * y[first + k * inner];
        sum = over_team(sum, Sum());
        FOR_MEMBERS(k, end) {
            i64 i = first + k * inner;
            out[i] = (g[i] - sum) * y[i];
        }
    }
}

template <typename T>
__device__ void log_softmax_backward(const T* g, const T* y, T* out, i64 rows, i64 n, i64 inner) {
    FOR_ROWS(row, rows) {
        i64 end = row < rows ? n : 0, first = row < rows ? first_of(row, n, inner) : 0;
        T sum = (T)0;
        FOR_MEMBERS(k, end) sum += g[first + k * inner];
        sum = over_team(sum, Sum());
        FOR_MEMBERS(k, end) {
            i64 i = first + k * inner;
            out[i] = g[i] - exp(y[i]) * sum;
        }
    }
}

FLOATS(softmax, (const T* x, T* out, i64 rows, i64 n, i64 inner), (x, out, rows, n, inner))
FLOATS(log_softmax, (const T* x, T* out, i64 rows, i64 n, i64 inner), (x, out, rows, n, inner))
FLOATS(
    softmax_backward, (const T* g, const T* y, T* out, i64 rows, i64 n, i64 inner),
    (g, y, out, rows, n, inner)
)
FLOATS(
    log_softmax_backward, (const T* g, const T* y, T* out, i64 rows, i64 n, i64 inner),
    (g, y, out, rows, n, inner)
)
