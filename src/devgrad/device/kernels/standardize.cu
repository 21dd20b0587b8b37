// Layer, batch, group and instance normalisation; see `ops/_standardize.py`.
//
// A row has the numbers that one mean and one variance are taken over: `parts` times `run` numbers,
// each run without gaps, `step` apart. Scale and shift have `period` times `each_row` numbers, of
// which `span` following ones of a row share one. Pointers to either may be null.

#include "teams.cuh"

struct Layout {
    i64 rows, parts, run, step, period, each_row, span;
    __device__ i64 size() const { return parts * run; }
    __device__ i64 place(i64 row, i64 k) const { return k / run * step + row * run + k % run; }
    __device__ i64 scale(i64 row, i64 k) const { return row % period * each_row + k / span; }
};

#define LAYOUT i64 rows, i64 parts, i64 run, i64 step, i64 period, i64 each_row, i64 span
#define GIVEN {rows, parts, run, step, period, each_row, span}

template <typename T>
__device__ void standardize(
    const T* x, const T* weight, const T* bias, T* out, T* means, T* rs, T* vars, T eps,
    i64 centred, Layout layout
) {
    i64 n = layout.size();
    FOR_ROWS(row, layout.rows) {
        i64 end = row < layout.rows ? n : 0;
        T mean = (T)0, var = (T)0;
        if (centred) {
            FOR_MEMBERS(k, end) mean += x[layout.place(row, k)];
            mean = over_team(mean, Sum()) / (T)n;
        }
        FOR_MEMBERS(k, end) {
            T c = x[layout.place(row, k)] - mean;
            var += c * c;
        }
        var = over_team(var, Sum()) / (T)n;
        T r = (T)1 / sqrt(var + eps);
        FOR_MEMBERS(k, end) {
            T value = (x[layout.place(row, k)] - mean) * r;
            if (weight) value = value * weight[layout.scale(row, k)];
            if (bias) value = value + bias[layout.scale(row, k)];
            out[layout.place(row, k)] = value;
        }
        if (threadIdx.y == 0 && row < layout.rows) {
            means[row] = mean;
            rs[row] = r;
            vars[row] = var;
        }
    }
}

template <typename T>
__device__ void standardize_backward(
    const T* g, const T* x, const T* weight, const T* means, const T* rs, T* out, i64 centred,
    Layout layout
) {
    i64 n = layout.size();
    FOR_ROWS(row, layout.rows) {
        i64 end = row < layout.rows ? n : 0;
        T mean = end && centred ? means[row] : (T)0, r = end ? rs[row] : (T)0;
        T sum = (T)0, slope = (T)0;
        FOR_MEMBERS(k, end) {
            T h = g[layout.place(row, k)];
            if (weight) h = h * weight[layout.scale(row, k)];
            sum += h;
            slope += h * (x[layout.place(row, k)] - mean);
        }
        sum = over_team(sum, Sum());
        slope = over_team(slope, Sum()) * (r * r / -(T)n);
        T shift = centred ? sum / (T)n : (T)0;
        FOR_MEMBERS(k, end) {
            T h = g[layout.place(row, k)];
            if (weight) h = h * weight[layout.scale(row, k)];
            out[layout.place(row, k)] = ((x[layout.place(row, k)] - mean) * slope + h - shift) * r;
        }
    }
}

// Here a team works for a number of the scale: it has the same `span` numbers of some rows.
template <typename T>
__device__ void standardize_weight_backward(
    const T* g, const T* x, const T* means, const T* rs, T* out, i64 centred, Layout layout
) {
    i64 scales = layout.period * layout.each_row;
    FOR_ROWS(j, scales) {
        i64 first_row = j / layout.each_row, first = j % layout.each_row * layout.span;
        T total = (T)0;
        FOR_MEMBERS(i, j < scales ? layout.rows / layout.period * layout.span : 0) {
            i64 row = i / layout.span * layout.period + first_row;
            i64 place = layout.place(row, first + i % layout.span);
            total += g[place] * ((x[place] - (centred ? means[row] : (T)0)) * rs[row]);
        }
        total = over_team(total, Sum());
        if (threadIdx.y == 0 && j < scales) out[j] = total;
    }
}

// By statistics that are given, of (outer, channels, inner).
template <typename T>
__device__ void normalize_by(
    const T* x, const T* weight, const T* bias, const T* means, const T* vars, T* out, T eps,
    i64 size, i64 channels, i64 inner
) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (i64)gridDim.x * blockDim.x) {
        i64 c = i / inner % channels;
        T scale = (T)1 / sqrt(vars[c] + eps);
        if (weight) scale = scale * weight[c];
        out[i] = x[i] * scale + (bias ? bias[c] - means[c] * scale : -means[c] * scale);
    }
}

FLOATS(
    standardize,
    (const T* x, const T* weight, const T* bias, T* out, T* means, T* rs, T* vars, T eps,
     i64 centred, LAYOUT),
    (x, weight, bias, out, means, rs, vars, eps, centred, Layout GIVEN)
)
FLOATS(
    standardize_backward,
    (const T* g, const T* x, const T* weight, const T* means, const T* rs, T* out, i64 centred,
     LAYOUT),
    (g, x, weight, means, rs, out, centred, Layout GIVEN)
)
FLOATS(
    standardize_weight_backward,
    (const T* g, const T* x, const T* means, const T* rs, T* out, i64 centred, LAYOUT),
    (g, x, means, rs, out, centred, Layout GIVEN)
)
FLOATS(
    normalize_by,
    (const T* x, const T* weight, const T* bias, const T* means, const T* vars, T* out, T eps,
     i64 size, i64 channels, i64 inner),
    (x, weight, bias, means, vars, out, eps, size, channels, inner)
)
