"""Normalisation, embeddings, attention, distances: what nn.functional has besides."""

from __future__ import annotations

import numpy as np

from ._base import S, Sample, complex_normal, normal, positive
from ._nn import R, rows


def layer_norms() -> list[Sample]:
    w, b = positive(4), normal(4)
    return [
        S(normal(3, 4), (4,)), S(normal(3, 4), (4,), w, b), S(normal(2, 3, 4), (3, 4)),
        S(normal(3, 4) + 5, (4,), w), S(normal(4), (4,), w, b),
        S(normal(0, 4), (4,), w, b), S(normal(2, 3, 4), (3, 4), positive(3, 4), normal(3, 4)),
        R(normal(3, 4), (3,)), R(normal(3, 4), ()), R(normal(3, 4), (4,), positive(3)),
        R(normal(3, 4), (4,), w, normal(3)), R(np.arange(4), (4,)),
    ]  # fmt: skip


def batch_norms() -> list[Sample]:
    w, b, mean, var = positive(3), normal(3), normal(3), positive(3)
    x = normal(4, 3, 2)
    return [
        S(x, None, None, training=True),
        S(x, None, None, w, b, True, 0.1, 0.01),
        S(normal(4, 3), None, None, w, b, True),
        S(normal(2, 3, 2, 2), None, None, w, None, True),
        R(x, None, None),
        R(x, mean[:2], var),
        R(x, mean, var, w[:2]),
        R(normal(3), mean, var),
        R(normal(1, 3), None, None, training=True),
        R(x, mean, var, eps=-1.0),
        R(x, None, None, training=True, eps=0.0),
    ]


def group_norms() -> list[Sample]:
    w, b = positive(4), normal(4)
    return [
        S(normal(2, 4, 3), 2),
        S(normal(2, 4, 3), 2, w, b),
        S(normal(3, 4), 2, w),
        S(normal(2, 4, 3), 1, w, b, 0.1),
        R(normal(2, 4), 3),
        R(normal(2, 4, 3), 2, positive(2)),
        R(normal(4), 2),
    ]


def instance_norms() -> list[Sample]:
    w, b = positive(3), normal(3)
    return [
        S(normal(2, 3, 4)),
        S(normal(2, 3, 4), weight=w, bias=b),
        S(normal(2, 3, 2, 2), weight=w),
        R(normal(2, 3)),
        R(normal(2, 3, 1)),
    ]


def bags() -> list[Sample]:
    """Bags of unequal sizes, one of them empty."""
    flat, offsets, ends = np.array([0, 2, 1, 2, 4]), np.array([0, 2, 2]), np.array([0, 2, 2, 5])
    two = np.array([[0, 2, 1], [4, 4, 0]])
    w = normal(5, 3)
    return [
        *[S(flat, w, offsets, mode=m) for m in ("sum", "mean", "max")],
        *[S(flat, w, offsets, mode=m, padding_idx=2) for m in ("sum", "mean", "max")],
        *[S(two, w, mode=m, padding_idx=-1) for m in ("sum", "mean", "max")],
        S(flat, w, ends, include_last_offset=True),
        S(two, w, mode="sum", per_sample_weights=normal(2, 3)),
        R(two, w, offsets),
        R(flat, w),
        R(flat, w, two),
        R(two[None], w),
        R(flat, w[0], offsets),
        R(two, w, mode="least"),
        R(two, w, mode="max", scale_grad_by_freq=True),
        R(two, w, mode="mean", per_sample_weights=normal(2, 3)),
        R(flat, w, offsets + 1),
        R(flat, w, np.array([0, 9])),
        R(flat * 1.0, w, offsets),
        R(two, w, mode="sum", per_sample_weights=normal(2)),
    ]


def attentions() -> list[Sample]:
    q, k, v = normal(2, 3, 4), normal(2, 5, 4)[::-1] + 0.1, normal(2, 5, 2)
    seen = np.arange(15).reshape(3, 5) % 4 != 1
    blind = seen.copy()
    blind[1] = False
    return [
        S(q, k, v),
        S(q[0], k[0], v[0]),
        S(q, k, v, is_causal=True),
        S(q, k, v, scale=0.3),
        S(q, k, v, seen),
        S(q, k, v, blind),
        S(q, k, v, normal(3, 5)),
        S(normal(2, 4, 3, 2), normal(2, 2, 5, 2), normal(2, 2, 5, 3), enable_gqa=True),
        S(q, k[:, :0], v[:, :0]),
        R(q, k, v, seen, is_causal=True),
        R(q[0, 0], k[0, 0], v[0, 0]),
        R(q, k, v.astype("float32")),
        R(q, k, v, seen.astype(int)),
    ]


def heads() -> list[Sample]:
    """Attention of two heads, over 3 queries and 5 keys of batches of 2."""
    q, k = normal(3, 2, 4), normal(5, 2, 4) + 0.1
    w, b, out, out_b = normal(12, 4) / 3, normal(12), normal(4, 4), normal(4)
    more = normal(1, 1, 4)
    first = (w, b, None, None, False, 0.0, out, out_b)
    masked = np.arange(15).reshape(3, 5) % 4 == 1
    padded = np.array([[False] * 4 + [True], [False] * 5])
    return [
        S(q, k, k, 4, 2, *first), S(q, q, q, 4, 2, *first),
        S(q[:, 0], k[:, 0], k[:, 0], 4, 2, *first),
        S(q, k, k, 4, 2, *first, need_weights=False),
        S(q, k, k, 4, 2, *first, attn_mask=masked, key_padding_mask=padded),
        S(q, k, k, 4, 2, *first, attn_mask=masked, need_weights=False),
        S(q, k, k, 4, 2, *first, attn_mask=normal(4, 3, 5), average_attn_weights=False),
        S(q, k, k, 4, 2, w, None, more, more, True, 0.0, out, None, attn_mask=masked,
          key_padding_mask=padded),
        S(q, k, k, 4, 2, None, b, None, None, False, 0.0, out, out_b,
          use_separate_proj_weight=True, q_proj_weight=normal(4, 4), k_proj_weight=normal(4, 4),
          v_proj_weight=normal(4, 4)),
        S(q, k, k, 4, 2, *first, static_k=normal(4, 6, 2), static_v=normal(4, 6, 2)),
        R(q, k, k, 6, 2, *first), R(q, k, k, 4, 3, *first), R(q, k[0], k[0], 4, 2, *first),
        R(q, k, k, 4, 2, *first, attn_mask=masked[:2]), R(q, k, k, 4, 2, *first, is_causal=True),
        R(q, k, k[:4], 4, 2, *first), R(q, k, k, 4, 2, None, *first[1:]),
        R(q, k, k, 4, 2, *first, attn_mask=masked.astype(int)),
    ]  # fmt: skip


ROWS = [
    *rows("layer_norm", layer_norms), *rows("batch_norm", batch_norms),
    # Of running statistics nothing is differentiated.
    *rows("batch_norm", lambda: [
        S(normal(4, 3, 2), normal(3), positive(3), positive(3), normal(3)),
        S(normal(4, 3), normal(3), positive(3), training=True),
    ], grad=False, dtypes=("float32", "float16")),
    *rows("group_norm", group_norms), *rows("instance_norm", instance_norms),
    *rows("instance_norm", lambda: [
        S(normal(2, 3, 4), normal(3), positive(3), use_input_stats=False),
    ], grad=False),
    *rows("rms_norm", lambda: [
        S(normal(3, 4), (4,)), S(normal(3, 4), (4,), positive(4)), S(normal(2, 3, 4), (3, 4)),
        S(normal(3, 4), (4,), None, 0.1), R(normal(3, 4), (3,)),
    ]),
    *rows("rms_norm", lambda: [S(complex_normal(3, 4), (4,))], dtypes=()),
    *[row for name, *args in (("layer_norm", (4,)), ("group_norm", 2), ("instance_norm",))
      for row in rows(name, lambda args=args: [S(normal(2, 4, 4), *args)], grad=False,
                      dtypes=("float16",))],
    *rows(".layer_norm", lambda: [S(normal(3, 4), (4,), positive(4), normal(4), 1e-3)]),
    *rows(".group_norm", lambda: [S(normal(2, 4, 3), 2, positive(4), normal(4), 1e-3)]),
    *rows(".batch_norm", lambda: [S(normal(4, 3), positive(3), normal(3), None, None, True, 0.1,
                                    1e-3, False)]),
    *rows(".instance_norm", lambda: [S(normal(2, 3, 4), positive(3), normal(3), None, None, True,
                                       0.1, 1e-3, False)]),
    *rows(".rms_norm", lambda: [S(normal(3, 4), (4,), positive(4), 1e-3)]),
    *rows(".native_layer_norm", lambda: [S(normal(3, 4), (4,), positive(4), normal(4), 1e-3)],
          grad=False),
    *rows(".native_group_norm", lambda: [S(normal(2, 4, 3), positive(4), normal(4), 2, 4, 3, 2,
                                           1e-3)]),
    *rows(".native_batch_norm", lambda: [S(normal(4, 3), positive(3), normal(3), None, None, True,
                                           0.1, 1e-3)], grad=False, out=True),
    *rows("local_response_norm", lambda: [
        S(normal(2, 5, 3), 3), S(normal(2, 5, 3, 2), 2, 0.5, 0.6, 2.0), R(normal(2, 5), 3),
    ]),
    *rows("normalize", lambda: [
        S(normal(3, 4)), S(normal(3, 4), 3, 0), S(normal(3, 4), dim=-1, eps=5.0),
    ]),
    *rows("embedding", lambda: [
        S(np.array([[0, 2], [4, 2]]), normal(5, 3)), S(np.array(1), normal(5, 3)),
        S(np.array([1, 0], "int32"), normal(5, 3)),
        R(np.array([5]), normal(5, 3)), R(np.array([-1]), normal(5, 3)),
        R(np.array([0.5]), normal(5, 3)), R(np.array([0]), normal(5)),
        R(np.array([0]), normal(5, 3), padding_idx=5),
    ]),
    *rows(".embedding", lambda: [S(normal(5, 3), np.array([0, 2, 2]))]),
    *rows("group_norm", lambda: [S(normal(2, 4, 2, 2), 4, None, normal(4))], grad=False),
    *rows("embedding", lambda: [S(np.array([], int), normal(5, 3))], grad=False),
    # What has these gets a gradient that is not the derivative.
    *rows("embedding", lambda: [
        S(np.array([0, 2, 2]), normal(5, 3), padding_idx=2),
        S(np.array([0, 4, 4]), normal(5, 3), padding_idx=-5, scale_grad_by_freq=True),
    ], grad=False),
    *rows("embedding_bag", lambda: [S(np.array([[0, 2, 1], [4, 4, 0]]), normal(5, 3),
                                      scale_grad_by_freq=True)], grad=False),
    *rows("layer_norm", lambda: [S(normal(3, 4), (4,), None, normal(4), 0.1)], grad=False),
    *rows("cosine_similarity", lambda: [S(normal(3, 4), normal(3, 4)[::-1], 1, 5.0)], grad=False),
    *rows("embedding_bag", bags),
    *rows("one_hot", lambda: [
        S(np.array([[0, 2], [1, 1]])), S(np.array(3), 5), S(np.zeros((0, 2), int), 3),
        R(np.array([0, -1])), R(np.array([0, 3]), 3), R(np.zeros(0, int)),
        R(np.array([0, 1], "int32")),
    ], grad=False, dtypes=()),
    *rows("scaled_dot_product_attention", attentions),
    *rows("multi_head_attention_forward", heads),
    *[row for where in ("", ".") for row in rows(f"{where}bilinear", lambda: [
        S(normal(3, 2), normal(3, 4), normal(5, 2, 4), normal(5)),
        S(normal(2), normal(4), normal(5, 2, 4)),
        S(normal(3, 2, 2), normal(3, 2, 4), normal(5, 2, 4)),
        S(normal(0, 2), normal(0, 4), normal(5, 2, 4)),
        R(normal(3, 2), normal(3, 4), normal(5, 2, 3)),
        R(normal(3, 2), normal(2, 4), normal(5, 2, 4)),
    ])],
    *[row for where in ("", ".") for row in rows(f"{where}cosine_similarity", lambda: [
        S(normal(3, 4), normal(3, 4)[::-1]), S(normal(3, 4), normal(4), -1),
        S(normal(4), normal(4), 0),
        R(normal(3, 4), normal(2, 4)), R(np.ones((2, 2), int), np.ones((2, 2), int)),
    ])],
    *[row for where in ("", ".") for row in rows(f"{where}pairwise_distance", lambda: [
        S(normal(3, 4), normal(3, 4)[::-1]), S(normal(3, 4), normal(4) + 0.3, 1.0, 1e-3, True),
        S(normal(3, 4), normal(3, 4)[::-1], 3.0), S(normal(4), normal(4) + 0.3),
    ])],
]  # fmt: skip
