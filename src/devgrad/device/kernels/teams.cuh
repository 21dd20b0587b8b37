// Rows of numbers, each the work of a team of threads.
//
// A block has blockDim.x teams of blockDim.y threads, a power of two: those with one threadIdx.x work
// on one row. Neighbouring threads are neighbours in a team where that is all there is in a block,
// and neighbouring rows otherwise; so either may be made to read neighbouring memory.

typedef long long i64;

struct Sum {
    template <typename T> __device__ T operator()(T a, T b) const { return a + b; }
};

struct Most {  // NaN, if there is one
    template <typename T> __device__ T operator()(T a, T b) const { return a > b || a != a ? a : b; }
};

// What the team's values come to. All threads of a block must call it as often.
template <typename T, typename Fold> __device__ inline T over_team(T value, Fold fold) {
    __shared__ T values[1024];
    int place = (int)(threadIdx.y * blockDim.x + threadIdx.x);
    __syncthreads();  // others may still be reading what the last call came to
    values[place] = value;
    for (int half = (int)blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.y < half)
            values[place] = fold(values[place], values[place + half * (int)blockDim.x]);
    }
    __syncthreads();
    return values[threadIdx.x];
}

// All threads of a block go through this loop equally often; `row` may lie behind the last row.
#define FOR_ROWS(row, rows)                                                                      \
    for (i64 row = (i64)blockIdx.x * blockDim.x + threadIdx.x;                                   \
         row - (i64)threadIdx.x < (rows); row += (i64)gridDim.x * blockDim.x)

#define FOR_MEMBERS(k, n) for (i64 k = threadIdx.y; k < (n); k += blockDim.y)

// The kernels NAME_float32 and NAME_float64, of a template NAME of the number's type T.
#define FLOATS(NAME, PARAMETERS, ARGUMENTS)                                                      \
    namespace in_float32 {                                                                       \
    typedef float T;                                                                             \
    extern "C" __global__ void NAME##_float32 PARAMETERS { ::NAME ARGUMENTS; }                   \
    }                                                                                            \
    namespace in_float64 {                                                                       \
    typedef double T;                                                                            \
    extern "C" __global__ void NAME##_float64 PARAMETERS { ::NAME ARGUMENTS; }                   \
    }
