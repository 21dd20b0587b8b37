// Cross entropy by class indices, of (outer, n classes, inner): a sample is what is read with a step
// of `inner`. A pointer may be null: no weights of classes, no divisor.

#include "teams.cuh"

// A target that is no class wraps around, as indices do on CUDA; see docs/cuda.md.
__device__ inline i64 wrapped(i64 target, i64 n) { return (target % n + n) % n; }

template <typename T>
__device__ void cross_entropy(
    const T* x, const i64* target, const T* weight, T* probabilities, T* losses, T* scales,
    i64 rows, i64 n, i64 inner, i64 ignored
) {
    FOR_ROWS(row, rows) {
        i64 end = row < rows ? n : 0;
        i64 first = row < rows ? row / inner * n * inner + row % inner : 0;
        T most = x[first], total = (T)0;
        FOR_MEMBERS(k, end) most = Most()(most, x[first + k * inner]);
        most = over_team(most, Most());
        FOR_MEMBERS(k, end) total += exp(x[first + k * inner] - most);
        total = over_team(total, Sum());
        FOR_MEMBERS(k, end)
            probabilities[first + k * inner] = exp(x[first + k * inner] - most) / total;
        if (threadIdx.y == 0 && row < rows) {
            bool counts = target[row] != ignored;
            i64 k = counts ? wrapped(target[row], n) : 0;
            T scale = weight ? weight[k] : (T)1;
            scales[row] = counts ? scale : (T)0;
            losses[row] = counts ? (log(total) + most - x[first + k * inner]) * scale : (T)0;
        }
    }
}

// One team: the sum of the losses, over the sum of their weights where a mean is wanted.
template <typename T> __device__ void reduced_loss(const T* losses, const T* scales, T* out, i64 rows) {
    T total = (T)0, weights = (T)0;
    FOR_MEMBERS(i, rows) {
        total += losses[i];
        if (scales) weights += scales[i];
    }
    total = over_team(total, Sum());
    weights = over_team(weights, Sum());
    if (threadIdx.y == 0) out[0] = scales ? total / weights : total;
}

// One team: the sum of the targets' weights.
template <typename T>
__device__ void weight_of_targets(
    const i64* target, const T* weight, T* out, i64 rows, i64 n, i64 ignored
) {
    T total = (T)0;
    FOR_MEMBERS(i, rows)
        if (target[i] != ignored) total += weight ? weight[wrapped(target[i], n)] : (T)1;
    total = over_team(total, Sum());
    if (threadIdx.y == 0) out[0] = total;
}

// `g` has a number for each sample (`step` 1) or one for all (`step` 0).
template <typename T>
__device__ void cross_entropy_backward(
    const T* g, const T* probabilities, const i64* target, const T* weight, const T* divisor,
    T* out, i64 step, i64 rows, i64 n, i64 inner, i64 ignored
) {
    FOR_ROWS(row, rows) {
        if (row >= rows) continue;
        bool counts = target[row] != ignored;
        i64 chosen = counts ? wrapped(target[row], n) : 0;
        T scale = g[row * step];
        if (divisor) scale = scale / divisor[0];
        if (weight) scale = scale * weight[chosen];
        i64 first = row / inner * n * inner + row % inner;
        FOR_MEMBERS(k, n) {
            T value = probabilities[first + k * inner] * scale;
            out[first + k * inner] = !counts ? (T)0 : k == chosen ? value - scale : value;
        }
    }
}

FLOATS(
    cross_entropy,
    (const T* x, const i64* target, const T* weight, T* probabilities, T* losses, T* scales,
     i64 rows, i64 n, i64 inner, i64 ignored),
    (x, target, weight, probabilities, losses, scales, rows, n, inner, ignored)
)
FLOATS(
    reduced_loss, (const T* losses, const T* scales, T* out, i64 rows), (losses, scales, out, rows)
)
FLOATS(
    weight_of_targets,
    (const i64* target, const T* weight, T* out, i64 rows, i64 n, i64 ignored),
    (target, weight, out, rows, n, ignored)
)
FLOATS(
    cross_entropy_backward,
    (const T* g, const T* probabilities, const i64* target, const T* weight, const T* divisor,
     T* out, i64 step, i64 rows, i64 n, i64 inner, i64 ignored),
    (g, probabilities, target, weight, divisor, out, step, rows, n, inner, ignored)
)
