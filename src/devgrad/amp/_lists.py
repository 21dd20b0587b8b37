"""Which functions autocast brings to which dtype: PyTorch's lists, for each kind of device."""

from __future__ import annotations

from ..ops import FUNCTIONS

__all__ = ["POLICIES"]

# Products of matrices and their like: fast in the lower precision, and forgiving.
_LOWER_ANYWHERE = """
    conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d prelu
    addmm matmul mm linear addbmm baddbmm bmm scaled_dot_product_attention linalg.vecdot
    __matmul__ __rmatmul__
"""
_LOWER_ON_CUDA = """
    convolution addmv addr einsum mv chain_matmul linalg.multi_dot lstm_cell gru_cell
    rnn_tanh_cell rnn_relu_cell
"""

# What leaves float16's range, or loses much in it.
_FLOAT32_ON_CUDA = """
    acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow __pow__
    __rpow__ softplus layer_norm rms_norm group_norm nuclear_norm cosine_similarity
    poisson_nll_loss cosine_embedding_loss nll_loss hinge_embedding_loss kl_div l1_loss
    smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss
    soft_margin_loss triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits dist
    pdist cdist renorm logsumexp interpolate upsample prod softmax log_softmax cumprod cumsum
    linalg.vector_norm linalg.matrix_norm linalg.norm sum norm cross_entropy
"""
_FLOAT32_ON_CPU = """
    avg_pool3d binary_cross_entropy grid_sample polar prod quantile nanquantile stft cdist trace
    view_as_complex cholesky cholesky_inverse cholesky_solve inverse lu_solve orgqr ormqr pinverse
    max_pool3d max_unpool2d max_unpool3d adaptive_avg_pool3d mse_loss cosine_embedding_loss
    nll_loss hinge_embedding_loss poisson_nll_loss smooth_l1_loss cross_entropy l1_loss huber_loss
    margin_ranking_loss soft_margin_loss triplet_margin_loss multi_margin_loss ctc_loss kl_div
    multilabel_margin_loss binary_cross_entropy_with_logits
    linalg.cond linalg.matrix_rank linalg.solve linalg.cholesky linalg.svdvals linalg.eigvals
    linalg.eigvalsh linalg.inv linalg.householder_product linalg.tensorinv linalg.tensorsolve
    linalg.qr linalg.svd linalg.eig linalg.eigh linalg.lstsq linalg.inv_ex linalg.cholesky_ex
"""

# Functions of several tensors that want one dtype: the widest of theirs.
_WIDEST_ON_CUDA = """
    addcdiv addcmul atan2 bilinear cross dot vdot grid_sample index_put tensordot scatter_add cat
    stack
"""
_WIDEST_ON_CPU = "cat stack index_copy"


def _by_name() -> dict[str, dict[str, str]]:
    lists = {
        "cuda": {
            "lower": _LOWER_ANYWHERE + _LOWER_ON_CUDA, "float32": _FLOAT32_ON_CUDA,
            "widest": _WIDEST_ON_CUDA, "banned": "binary_cross_entropy",
        },
        "cpu": {"lower": _LOWER_ANYWHERE, "float32": _FLOAT32_ON_CPU, "widest": _WIDEST_ON_CPU},
    }  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for device, policies in lists.items():
        for policy, names in policies.items():
            for name in names.split():
                found.setdefault(name, {})[device] = policy
    for name in FUNCTIONS.get("fft", ()):
        found[f"fft.{name}"] = {"cpu": "float32"}
    return found


POLICIES = _by_name()  # name -> kind of device -> "lower", "float32", "widest" or "banned"
