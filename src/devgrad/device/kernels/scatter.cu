// values (outer, m, inner) added into target (outer, n, inner): number j of the middle dimension at
// place index[j], which may repeat.

#include "teams.cuh"

// In whatever order the threads come. An index out of bounds wraps around; see docs/cuda.md.
template <typename T>
__device__ void add_at(
    T* target, const i64* index, const T* values, i64 outer, i64 m, i64 n, i64 inner
) {
    i64 size = outer * m * inner;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (i64)gridDim.x * blockDim.x) {
        i64 place = (index[i / inner % m] % n + n) % n;
        atomicAdd(target + (i / inner / m * n + place) * inner + i % inner, values[i]);
    }
}

// Always in the same order: `sorted` has the places in ascending order, from 0 to n - 1, and `order`
// says which values are there. The team that finds the first of equal places adds them all. A row is
// a column of a block of `blockDim.x` columns, so that all teams of a block have the same place.
template <typename T>
__device__ void add_sorted(
    T* target, const i64* sorted, const i64* order, const T* values, i64 outer, i64 m, i64 n,
    i64 inner
) {
    i64 wide = (inner + blockDim.x - 1) / blockDim.x;  // blocks of columns
    for (i64 task = blockIdx.x; task < outer * m * wide; task += gridDim.x) {
        i64 column = task % wide * blockDim.x + threadIdx.x, i = task / wide % m;
        i64 block = task / wide / m, place = sorted[i];
        if (i > 0 && sorted[i - 1] == place) continue;
        i64 low = i + 1, high = m;  // the first greater place
        while (low < high) {
            i64 middle = (low + high) / 2;
            if (sorted[middle] == place) low = middle + 1;
            else high = middle;
        }
        T total = (T)0;
        FOR_MEMBERS(k, column < inner ? high - i : 0)
            total += values[(block * m + order[i + k]) * inner + column];
        total = over_team(total, Sum());
        if (threadIdx.y == 0 && column < inner)
            target[(block * n + place) * inner + column] += total;
    }
}

FLOATS(
    add_at,
    (T* target, const i64* index, const T* values, i64 outer, i64 m, i64 n, i64 inner),
    (target, index, values, outer, m, n, inner)
)
FLOATS(
    add_sorted,
    (T* target, const i64* sorted, const i64* order, const T* values, i64 outer, i64 m, i64 n,
     i64 inner),
    (target, sorted, order, values, outer, m, n, inner)
)
