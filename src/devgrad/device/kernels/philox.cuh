// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011):
// four random words from a counter and a key, with no state in between. So element i of a tensor can
// be computed by any thread of any GPU. `../_philox.py` is the same in NumPy.

typedef unsigned int u32;
typedef unsigned long long u64;

struct Words {
    u32 word[4];
};

// The words number 4 * block to 4 * block + 3 of the draw number `offset` from the stream `seed`.
__device__ inline Words philox(u64 seed, u64 offset, u64 block) {
    u32 c0 = (u32)block, c1 = (u32)(block >> 32), c2 = (u32)offset, c3 = (u32)(offset >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c1 = (u32)p1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;  // the golden ratio
        k1 += 0xBB67AE85u;  // the square root of three, less one
    }
    Words words = {{c0, c1, c2, c3}};
    return words;
}
