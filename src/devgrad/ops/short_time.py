"""Fourier transforms of windows that slide over a signal: `stft`, and back."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._op import FUNCTIONS, Array, composite, op

__all__: list[str] = []


@op(name="frames_overlapped", node="UnfoldBackwardBackward0", function=False, method=False)
def _overlapped(xp: Any, input: Array, hop: int) -> Array:
    """Frames of a signal, each ``hop`` after the one before, added up: ``(batch, length)``."""
    batch, count, width = input.shape
    pieces = -(-width // hop)
    result = xp.zeros((batch, count + pieces, hop), input.dtype)
    for k in range(pieces):
        piece = input[:, :, k * hop : (k + 1) * hop]
        result[:, k : k + count, : piece.shape[2]] += piece
    return result.reshape(batch, -1)[:, : hop * (count - 1) + width]


@op(name="frames", node="UnfoldBackward0", function=False, method=False)
def _frames(xp: Any, input: Array, hop: int, count: int, width: int) -> Array:
    """The adjoint of `_overlapped`: each frame is cut out of the signal."""
    places = xp.arange(count)[:, None] * hop + xp.arange(width)
    return input[:, places]


_overlapped.vjp(input=lambda g, input_shape, hop: _frames(g, hop, input_shape[1], input_shape[2]))
_frames.vjp(input=lambda g, hop: _overlapped(g, hop))


def _describe(name: str, input: Tensor, n_fft: Any, hop: Any, win: Any, window: Any) -> str:
    shape = None if window is None else list(window.shape)
    return (
        f"{name}({input._type}{list(input.shape)}, n_fft={n_fft}, hop_length={hop}, "
        f"win_length={win}, window={shape})"
    )


def _centred(window: Tensor | None, like: Tensor, win_length: int, n_fft: int) -> Tensor:
    """The window with zeros on both sides, ``n_fft`` long."""
    if window is None:
        window = like.new_ones(win_length)
    if win_length == n_fft:
        return window
    left = (n_fft - win_length) // 2
    padded: Tensor = FUNCTIONS["nn.functional"]["pad"](window, (left, n_fft - win_length - left))
    return padded


@composite(out=False)
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
    normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transforms of windows that slide over a signal: ``(…, frequencies, windows)``.

    Args:
        input: ``(length)`` or ``(batch, length)``.
        n_fft: how many elements are transformed at a time.
        hop_length: how far apart windows begin; default ``n_fft // 4``.
        win_length: how long the window is; default ``n_fft``. Zeros fill up the rest.
        window: what each part is multiplied with; default ones.
        center: pad the signal, so that the windows' middles begin at its first element.
        pad_mode: how, as in ``nn.functional.pad``.
        normalized: with the factor 1/sqrt(n_fft).
        onesided: without the negative frequencies; default for real input and window.
        return_complex: has to be said for real input; False gives pairs of real numbers.
        align_to_window: with ``center=False``, begin where a window of ``win_length`` first fits.

    Raises:
        RuntimeError: sizes that do not fit, or ``return_complex`` is not given.

    >>> import devgrad
    >>> devgrad.stft(devgrad.ones(16), 8, return_complex=True).shape
    torch.Size([5, 9])
    """
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false.")
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    said = _describe("stft", input, n_fft, hop, win, window)
    if return_complex is None:
        if not (input.is_complex() or (window is not None and window.is_complex())):
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if input._type.dtype.category < 2:
        raise RuntimeError(f"{said} : expected a tensor of floating point or complex values")
    if not 1 <= input.ndim <= 2:
        raise RuntimeError(f"{said} : expected a 1D or 2D tensor")
    signal = input if input.ndim == 2 else input.unsqueeze(0)
    if center:
        half = n_fft // 2
        signal = FUNCTIONS["nn.functional"]["pad"](signal, (half, half), pad_mode)
    length = signal.shape[-1]
    if not 0 < n_fft <= length:
        raise RuntimeError(f"{said} : expected 0 < n_fft < {length}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"{said} : expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{said} : expected 0 < win_length <= n_fft, but got win_length={win}")
    if window is not None and tuple(window.shape) != (win,):
        raise RuntimeError(
            f"{said} : expected a 1D window tensor of size equal to win_length={win}, but got "
            f"window with size {list(window.shape)}"
        )
    if align_to_window:
        signal = signal[..., (n_fft - win) // 2 :]
        frames = signal.unfold(-1, win, hop)
        left = (n_fft - win) // 2
        frames = FUNCTIONS["nn.functional"]["pad"](frames, (left, n_fft - win - left))
    else:
        frames = signal.unfold(-1, n_fft, hop)
    if window is not None or win < n_fft:
        frames = frames * _centred(window, signal, win, n_fft)
    norm = "ortho" if normalized else None
    if onesided is None:
        onesided = not frames.is_complex()
    if onesided and frames.is_complex():
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    found = FUNCTIONS["fft"]["rfft" if onesided else "fft"](frames, None, -1, norm).transpose(1, 2)
    if input.ndim == 1:
        found = found.squeeze(0)
    return found if return_complex else FUNCTIONS[""]["view_as_real"](found)


@composite(out=False)
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False,
    onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The inverse of `stft`: of all signals the one whose `stft` is nearest.

    Args:
        input: complex, ``(…, frequencies, windows)``.
        length: how long the signal is; default as long as the windows reach.
        return_complex: the signal is complex, and ``input`` has all frequencies.

    The others are those of `stft`.

    Raises:
        RuntimeError: sizes that do not fit; windows that leave a part of the signal out.

    >>> import devgrad
    >>> x = devgrad.arange(16.0)
    >>> y = devgrad.istft(devgrad.stft(x, 8, return_complex=True), 8)
    >>> devgrad.allclose(x, y, atol=1e-5)
    True
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    said = _describe("istft", input, n_fft, hop, win, window)
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    if not input.numel():
        raise RuntimeError(f"{said} : input tensor cannot be empty")
    if not 2 <= input.ndim <= 3:
        raise RuntimeError(
            f"{said} : expected a tensor with 3 or 4 dimensions, counting the two parts of complex "
            f"numbers, but got {input.ndim + 1}"
        )
    spectra = input if input.ndim == 3 else input.unsqueeze(0)
    bins, count = spectra.shape[-2:]
    onesided = n_fft != bins if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError(
            f"{said} : expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft{' / 2 + 1 when onesided=True' if onesided else ' when onesided=False'}, "
            f"but got {bins}"
        )
    if not 0 < hop <= win:
        raise RuntimeError(f"{said} : expected 0 < hop_length <= win_length")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{said} : expected 0 < win_length <= n_fft")
    if window is not None and tuple(window.shape) != (win,):
        raise RuntimeError(
            f"{said} : Invalid window shape. window has to be 1D and length of `win_length`"
        )
    if return_complex and onesided:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if not return_complex and window is not None and window.is_complex():
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    norm = "ortho" if normalized else None
    spectra = spectra.transpose(1, 2)
    if return_complex:
        frames = FUNCTIONS["fft"]["ifft"](spectra, None, -1, norm)
    else:
        half = spectra if onesided else spectra[..., : n_fft // 2 + 1]
        frames = FUNCTIONS["fft"]["irfft"](half, n_fft, -1, norm)
    full = _centred(window, spectra.real, win, n_fft)
    reach = n_fft + hop * (count - 1)

    signal = _overlapped.function(frames * full, hop)
    envelope = _overlapped.function((full * full).expand(1, count, n_fft), hop)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else reach - (n_fft // 2 if center else 0)
    signal, envelope = signal[:, start:end], envelope[:, start:end]
    lowest = envelope.detach().abs()
    if lowest.numel() and not (lowest > 1e-11).all():
        raise RuntimeError(
            f"{said} window overlap add min: {lowest.min().item():g}: there are places that no "
            "window reaches. Give the window that stft had, a shorter hop_length, or center=True"
        )
    signal = signal / envelope
    if end > reach:
        signal = FUNCTIONS["nn.functional"]["pad"](signal, (0, end - reach))
    return signal if input.ndim == 3 else signal.squeeze(0)
