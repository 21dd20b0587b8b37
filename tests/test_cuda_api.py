"""``devgrad.cuda``: devices, streams, memory, sharing with other libraries, and failures.

On the CPU: what there is without CUDA. On the stand-in for CuPy, which has two devices, and with
``-m gpu`` on real ones: that CUDA is asked the right things in the right order. That work really
overlaps, and really waits, no stand-in can show.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import torch

import devgrad
from devgrad import cuda
from devgrad.device import OutOfMemoryError, _memory, resolve


@pytest.fixture
def on_cuda(device: str) -> Any:
    """The namespace of CUDA's arrays; tests with it run where there is CUDA, or a stand-in."""
    if device == "cpu":
        pytest.skip("needs CUDA, or the stand-in")
    return resolve("cuda").xp


@pytest.fixture
def without_cuda(device: str) -> None:
    if device != "cpu" or cuda.is_available():
        pytest.skip("about machines without CUDA")


@pytest.fixture
def two(on_cuda: Any) -> Iterator[None]:
    if cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    yield
    cuda.set_device(0)


@pytest.fixture
def calls(on_cuda: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What streams and events are told from now on; only the stand-in can be listened to."""
    cupy = sys.modules["cupy"]
    if not hasattr(cupy.cuda.Event, "recorded") and "stand-in" not in str(cupy.__doc__):
        pytest.skip("listens to the stand-in")
    heard: list[Any] = []
    wait, record = cupy.cuda.Stream.wait_event, cupy.cuda.Event.record

    def hear_wait(stream: Any, event: Any) -> None:
        heard.append(("wait", stream.ptr, event.recorded.ptr))
        wait(stream, event)

    def hear_record(event: Any, stream: Any = None) -> None:
        record(event, stream)
        heard.append(("record", event.recorded.ptr))

    monkeypatch.setattr(cupy.cuda.Stream, "wait_event", hear_wait)
    monkeypatch.setattr(cupy.cuda.Event, "record", hear_record)
    return heard


# --- without CUDA ---------------------------------------------------------------------------------


QUIET = [
    "is_available()", "device_count()", "is_initialized()", "memory_allocated()",
    "max_memory_allocated()", "memory_reserved()", "max_memory_reserved()", "empty_cache()",
    "manual_seed(1)", "manual_seed_all(1)", "seed()", "seed_all()", "get_rng_state_all()",
    "set_rng_state_all([])", "is_bf16_supported()", "default_generators", "set_stream(None)",
]  # fmt: skip


@pytest.mark.parametrize("call", QUIET)
def test_without_cuda_this_is_as_in_pytorch(call: str, without_cuda: None) -> None:
    if torch.cuda.is_available():
        pytest.skip("PyTorch has CUDA here")
    assert eval(f"cuda.{call}") == eval(f"torch.cuda.{call}")


REFUSED = [
    "current_device()", "init()", "get_device_name()", "get_device_capability()",
    "get_device_properties(0)", "current_stream()", "default_stream()", "mem_get_info()",
    "can_device_access_peer(0, 1)",
]  # fmt: skip


@pytest.mark.parametrize("call", REFUSED)
def test_without_cuda_what_has_to_answer_is_refused(call: str, without_cuda: None) -> None:
    with pytest.raises(AssertionError) as ours:
        eval(f"cuda.{call}")
    assert str(ours.value).startswith("Torch not compiled with CUDA enabled: ")
    if not torch.cuda.is_available():
        with pytest.raises(AssertionError, match="^Torch not compiled with CUDA enabled"):
            eval(f"torch.cuda.{call}")


def test_without_cuda_there_are_no_streams(without_cuda: None) -> None:
    with pytest.raises(RuntimeError, match="^torch.cuda.Stream requires CUDA support"):
        cuda.Stream()
    with pytest.raises(RuntimeError, match="^Tried to instantiate dummy base class Event"):
        cuda.Event()
    with cuda.stream(None), cuda.device(None), cuda.device(-1), cuda.device_of(devgrad.ones(1)):
        pass


@pytest.mark.parametrize("call", [
    "synchronize()", "set_device(0)", "device(0).__enter__()", "reset_peak_memory_stats()",
])  # fmt: skip
def test_without_cuda_what_only_waits_or_chooses_falls_back(
    call: str, without_cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devgrad.device import _device

    monkeypatch.setattr(_device._Fallback, "warned", True)
    eval(f"cuda.{call}")
    monkeypatch.setattr(_device._Fallback, "raises", True)
    if call != "reset_peak_memory_stats()":
        with pytest.raises(AssertionError, match="^Torch not compiled with CUDA enabled"):
            eval(f"cuda.{call}")


def test_without_cuda_nothing_is_pinned(
    without_cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devgrad.device import _device

    monkeypatch.setattr(_device._Fallback, "warned", True)
    x = devgrad.arange(3)
    assert not x.is_pinned()
    assert x.pin_memory() is x
    assert x.to("cuda", non_blocking=True) is x
    assert x.cpu() is x


def test_names_are_pytorchs() -> None:
    ours = set(cuda.__all__) - {"set_debug", "is_debug"}
    assert ours <= set(dir(torch.cuda))
    assert set(cuda.__all__) <= set(dir(cuda))
    assert devgrad.OutOfMemoryError is cuda.OutOfMemoryError
    assert issubclass(devgrad.OutOfMemoryError, RuntimeError)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        cuda.nothing  # noqa: B018


# --- devices --------------------------------------------------------------------------------------


def test_devices(on_cuda: Any) -> None:
    assert cuda.is_available()
    assert cuda.is_initialized()
    cuda.init()
    count = cuda.device_count()
    assert count >= 1
    assert cuda.current_device() == 0
    properties = cuda.get_device_properties(0)
    assert properties.name == cuda.get_device_name() == cuda.get_device_name("cuda:0")
    assert cuda.get_device_capability() == (properties.major, properties.minor)
    assert properties.total_memory == cuda.mem_get_info()[1]
    assert repr(properties).startswith(f"_CudaDeviceProperties(name='{properties.name}', major=")
    assert not cuda.can_device_access_peer(0, 0)
    with pytest.raises(RuntimeError, match="^CUDA error: invalid device ordinal"):
        cuda.set_device(count)
    with pytest.raises(ValueError, match="^Expected a cuda device, but got: cpu"):
        cuda.synchronize("cpu")
    assert len(cuda.default_generators) == count


def test_choosing_a_device(two: None) -> None:
    with cuda.device(1):
        assert cuda.current_device() == 1
        assert devgrad.ones(2, device="cuda").device == devgrad.device("cuda:1")
        with cuda.device("cuda:0"), cuda.device(None):
            assert cuda.current_device() == 0
        with cuda.device_of(devgrad.ones(1, device="cuda:0")):
            assert cuda.current_device() == 0
        with cuda.device_of(devgrad.ones(1, device="cpu")):
            assert cuda.current_device() == 1
    assert cuda.current_device() == 0
    cuda.set_device("cuda:1")
    assert sys.modules["cupy"].cuda.runtime.getDevice() == 1
    assert devgrad.ones(2, device="cuda").get_device() == 1
    cuda.set_device(-1)
    assert cuda.current_device() == 1


def test_what_is_computed_runs_on_its_own_device(two: None) -> None:
    """CuPy uses the current device for all arrays: ours is made current, and put back."""
    in_use = sys.modules["cupy"].cuda.runtime.getDevice
    for current in (0, 1):
        cuda.set_device(current)
        for index in (0, 1):
            x = devgrad.arange(6.0, device=f"cuda:{index}").reshape(2, 3).requires_grad_()
            y = (x * 2 + x.double().sin()) @ x.t().double()
            z = devgrad.cat([y, devgrad.exp(y)], 0)[:, :1].sum() + x.max(1).values.sum()
            assert z.get_device() == y.grad_fn(y).get_device() if callable(y.grad_fn) else True
            z.backward()
            assert x.grad.get_device() == x.grad._array.device.id == index
            w = devgrad.zeros(3, device=x.device)
            w += 1
            w[1] = 5.0
            w.mul_(2).fill_(3).copy_(x.detach()[0])
            devgrad.add(w, w, out=w)
            assert w.tolist() == [0.0, 2.0, 4.0]
            assert w._array.device.id == index
            g = devgrad.autograd.grad((x**3).sum(), x, create_graph=True)[0]
            (g * g).sum().backward()
            assert x.grad.get_device() == index
            assert devgrad.randn(4, device=x.device)._array.device.id == index
            assert in_use() == current


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_training_on_a_device_that_is_not_the_current_one(name: str, two: None) -> None:
    place = devgrad.device("cuda:1")
    losses = []
    for where in (place, devgrad.device("cpu")):
        model = devgrad.nn.Sequential(
            devgrad.nn.Linear(3, 4, device="cpu"), devgrad.nn.ReLU(), devgrad.nn.Dropout(0.0),
            devgrad.nn.Linear(4, 2, device="cpu"),
        ).to(where)  # fmt: skip
        for i, p in enumerate(model.parameters()):
            p.data = devgrad.linspace(-1, 1 + i / 8, p.numel(), device=where).reshape(p.shape)
        optimizer = getattr(devgrad.optim, name)(model.parameters(), lr=0.1)
        x = devgrad.linspace(-1, 1, 15, device=where).reshape(5, 3)
        y = devgrad.arange(5, device=where) % 2
        for _ in range(4):
            optimizer.zero_grad()
            loss = devgrad.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            devgrad.nn.utils.clip_grad_norm_(list(model.parameters()), 0.5)
            optimizer.step()
        assert all(p.device is p.grad.device is where for p in model.parameters())
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert cuda.current_device() == sys.modules["cupy"].cuda.runtime.getDevice() == 0


def test_guards_are_put_in_only_for_a_second_device(on_cuda: Any) -> None:
    import inspect

    from devgrad.device import current_device

    current_device.forget()
    plain = devgrad.ops.OPS["mul"].function.__code__, devgrad.Tensor.fill_
    signature = inspect.signature(devgrad.softmax)
    devgrad.ones(2, device="cuda:0").mul(2)
    assert devgrad.ops.OPS["mul"].function.__code__.co_filename == "<devgrad mul>"
    assert current_device.use is None
    if cuda.device_count() > 1:
        resolve("cuda:1").xp = None  # as if it had not been asked for
        devgrad.ones(2, device="cuda:1")
        assert devgrad.ops.OPS["mul"].function.__code__.co_filename == "<devgrad guard>"
        assert inspect.signature(devgrad.softmax) == signature
        current_device.forget()
    devgrad.ones(2, device="cuda:0").mul(2)
    assert (devgrad.ops.OPS["mul"].function.__code__, devgrad.Tensor.fill_) == plain


def test_gradients_cross_devices(two: None) -> None:
    a = devgrad.tensor([1.0, 2.0], device="cuda:0", requires_grad=True)
    b = a.to("cuda:1")
    c = (b * b).sum() + (a.to("cuda:1") * 3).sum() + a.cpu().sum().to("cuda:1")
    assert c.device == devgrad.device("cuda:1")
    c.backward()
    assert a.grad.tolist() == [6.0, 8.0]
    assert a.grad._array.device.id == 0
    with pytest.raises(RuntimeError, match="^Expected all tensors to be on the same device"):
        a * b


def test_copies_between_devices_keep_both_streams_in_order(two: None, calls: list[Any]) -> None:
    x = devgrad.ones(4, 3, device="cuda:0").t()
    sources, targets = cuda.Stream(0), cuda.Stream(1)
    with cuda.stream(targets), cuda.stream(sources):
        calls.clear()
        y = x.to("cuda:1")
    s, t = sources.cuda_stream, targets.cuda_stream
    assert calls == [("record", s), ("wait", t, s), ("record", t), ("wait", s, t)]
    assert y.tolist() == x.tolist()


# --- streams --------------------------------------------------------------------------------------


def test_streams(on_cuda: Any) -> None:
    default = cuda.default_stream()
    assert cuda.current_stream() == default
    a, b = cuda.Stream(), cuda.Stream(device="cuda:0", priority=-1)
    assert len({a, b, default}) == 3
    assert a.device == devgrad.device("cuda:0")
    assert b.priority == -1
    assert repr(a) == f"<torch.cuda.Stream device=cuda:0 cuda_stream={a.cuda_stream:#x}>"
    assert a.__cuda_stream__() == (0, a.cuda_stream)
    with cuda.stream(a):
        assert cuda.current_stream() == a
        with cuda.stream(b), cuda.stream(None):
            assert cuda.current_stream() == b
            devgrad.ones(3).add_(1)
        assert cuda.current_stream("cuda:0") == a
    assert cuda.current_stream() == default
    with a, b, a:
        assert cuda.current_stream() == a
    assert cuda.current_stream() == default
    cuda.set_stream(b)
    assert cuda.current_stream() == b
    cuda.set_stream(default)
    b.synchronize()
    assert b.query()
    assert cuda.ExternalStream(a.cuda_stream) == a
    cuda.synchronize()


def test_a_stream_takes_its_device_with_it(two: None) -> None:
    s = cuda.Stream(1)
    with cuda.stream(s):
        assert cuda.current_device() == 1
        assert cuda.current_stream() == s
        assert cuda.current_stream(0) == cuda.default_stream(0)
    assert cuda.current_device() == 0
    assert cuda.current_stream(1) == cuda.default_stream(1)


def test_streams_wait_for_one_another(on_cuda: Any, calls: list[Any]) -> None:
    a, b = cuda.Stream(), cuda.Stream()
    calls.clear()
    b.wait_stream(a)
    assert calls == [("record", a.cuda_stream), ("wait", b.cuda_stream, a.cuda_stream)]
    calls.clear()
    event = cuda.Event()
    event.wait(a)
    assert calls == []  # nothing was recorded: there is nothing to wait for
    with cuda.stream(b):
        event.record()
        event.wait()
    assert calls == [("record", b.cuda_stream), ("wait", b.cuda_stream, b.cuda_stream)]


def test_events(on_cuda: Any) -> None:
    start, end, untimed = cuda.Event(enable_timing=True), cuda.Event(True), cuda.Event()
    assert start.query()
    start.synchronize()
    assert repr(start) == "<torch.cuda.Event uninitialized>"
    assert start.device is None
    start.record()
    devgrad.ones(100).exp()
    assert cuda.current_stream().record_event(end) is end
    untimed.record()
    end.synchronize()
    assert end.query()
    assert 0 <= start.elapsed_time(end) < 60_000
    assert start.device == devgrad.device("cuda:0")
    assert repr(end) == f"<torch.cuda.Event {end.cuda_event:#x}>"
    with pytest.raises(ValueError, match="^Both events must be created with argument 'enable_tim"):
        start.elapsed_time(untimed)
    with pytest.raises(ValueError, match="^Both events must be recorded before calculating"):
        start.elapsed_time(cuda.Event(enable_timing=True))


def test_an_event_stays_on_its_device(two: None) -> None:
    event = cuda.Event()
    event.record(cuda.current_stream(0))
    with pytest.raises(RuntimeError, match="^Event device 0 does not match recording stream's dev"):
        event.record(cuda.current_stream(1))


# --- memory ---------------------------------------------------------------------------------------


def test_memory(on_cuda: Any) -> None:
    cuda.empty_cache()
    before = cuda.memory_allocated()
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    x = devgrad.empty(1 << 18)
    assert cuda.memory_allocated() - before == 1 << 20
    del x
    assert cuda.memory_allocated() == before
    assert cuda.max_memory_allocated() == before + (1 << 20)
    assert cuda.memory_reserved() >= before + (1 << 20)
    stats = cuda.memory_stats()
    assert stats["allocated_bytes.all.current"] == before
    assert stats["allocated_bytes.all.peak"] == before + (1 << 20)
    assert stats["reserved_bytes.all.current"] == cuda.memory_reserved()
    cuda.empty_cache()
    assert cuda.memory_reserved() <= before + (1 << 20)
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    free, total = cuda.mem_get_info()
    assert 0 < free <= total
    summary = cuda.memory_summary()
    assert "in use by arrays" in summary
    assert len({len(line) for line in summary.splitlines()}) == 1


def test_sizes_are_written_as_pytorch_writes_them() -> None:
    assert [_memory.in_units(n) for n in (512, 2048, 20 << 20, 3 << 29)] == [
        "512 bytes", "2.00 KiB", "20.00 MiB", "1.50 GiB"
    ]  # fmt: skip


@pytest.fixture
def little_memory(on_cuda: Any) -> Iterator[None]:
    """A GPU on which 64 MiB more can be had."""
    total = cuda.mem_get_info()[1]
    cuda.empty_cache()
    cuda.set_per_process_memory_fraction((cuda.memory_reserved() + (64 << 20)) / total)
    assert 0 < cuda.get_per_process_memory_fraction() < 1
    try:
        yield
    finally:
        cuda.set_per_process_memory_fraction(0)
        assert cuda.get_per_process_memory_fraction() == 1.0


LARGE = (32 << 20) + 1  # float32 elements: 128 MiB

OUT_OF_MEMORY = {
    "creation": lambda x: devgrad.zeros(LARGE),
    "random": lambda x: devgrad.randn(LARGE),
    "from the host": lambda x: devgrad.zeros(LARGE, device="cpu").cuda(),
    "an operation": lambda x: x.reshape(-1, 1) * x.reshape(1, -1),
    "a cast": lambda x: x.expand(LARGE // 4096, 4096).to(devgrad.float64),
}


@pytest.mark.parametrize("name", OUT_OF_MEMORY)
def test_out_of_memory(name: str, little_memory: None) -> None:
    x = devgrad.ones(4096 * 2)[:4096]
    x = devgrad.ones(8192) if name == "an operation" else x
    before = cuda.memory_allocated()
    with pytest.raises(devgrad.OutOfMemoryError) as raised:
        OUT_OF_MEMORY[name](x)
    text = str(raised.value)
    assert text.startswith("CUDA out of memory. Tried to allocate ")
    assert " MiB. GPU 0 has a total capacity of " in text
    assert "is in use by arrays, and " in text
    assert "CuPy's pool may take " in text
    del raised
    assert cuda.memory_allocated() == before
    assert (x == 1).all()


def test_out_of_memory_leaves_tensors_and_gradients_as_they_were(little_memory: None) -> None:
    w = devgrad.ones(4096, requires_grad=True)
    x = devgrad.ones(3, 4096)
    version = x._version
    with pytest.raises(devgrad.OutOfMemoryError):
        x.add_(w.detach().expand(LARGE // 4096, 4096) * 2)
    assert x._version == version
    assert (x == 1).all()
    assert w.grad is None
    loss = (w.expand(5000, 4096).detach()[:1] * w).sum()  # small
    hold = devgrad.zeros(1)

    def hook(g: Any) -> Any:
        nonlocal hold
        hold = devgrad.zeros(LARGE)

    w.register_hook(hook)
    with pytest.raises(devgrad.OutOfMemoryError, match="^CUDA out of memory"):
        loss.backward(retain_graph=True)
    assert w.grad is None
    with pytest.raises(devgrad.OutOfMemoryError):
        devgrad.autograd.grad(loss, w, retain_graph=True)


def test_errors_of_cuda_are_told_in_pytorchs_words(on_cuda: Any) -> None:
    from devgrad.device import device_error

    cupy = sys.modules["cupy"]
    for error in (ValueError("x"), MemoryError("of the host"), RuntimeError("cudaErrorOfMine")):
        assert on_cuda.explained(error) is None
        assert device_error(error) is error
    found = device_error(cupy.cuda.memory.OutOfMemoryError(20 << 20, 0))
    assert isinstance(found, OutOfMemoryError)
    assert str(found).startswith("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a")
    if "stand-in" in str(cupy.__doc__):
        error_of = cupy.cuda.runtime.CUDARuntimeError
        found = device_error(error_of(2, "cudaErrorMemoryAllocation: out of memory"))
        assert isinstance(found, OutOfMemoryError)
        assert str(found).startswith("CUDA out of memory. GPU 0 has a total capacity of")
        illegal = error_of(700, "cudaErrorIllegalAddress: an illegal memory access was encountered")
        with pytest.raises(RuntimeError) as raised, on_cuda.on_device(0):
            raise illegal
        assert str(raised.value).startswith(
            "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be "
            "asynchronously reported at some other API call"
        )


# --- pinned memory --------------------------------------------------------------------------------


def test_pinned_memory(on_cuda: Any) -> None:
    x = devgrad.arange(6.0, device="cpu").reshape(2, 3)
    assert not x.is_pinned()
    p = x.pin_memory()
    assert p.is_pinned()
    assert p.pin_memory() is p
    assert p.device == devgrad.device("cpu")
    assert p.tolist() == x.tolist()
    y = p.to("cuda", non_blocking=True)
    assert y.tolist() == x.tolist()
    assert p.t().cuda(non_blocking=True).tolist() == x.t().tolist()
    assert not y.is_pinned()
    with pytest.raises(RuntimeError, match="^cannot pin 'torch.cuda.FloatTensor' only dense CPU"):
        y.pin_memory()
    back = y.to("cpu", non_blocking=True)
    cuda.current_stream().synchronize()
    assert back.is_pinned()
    assert back.tolist() == x.tolist()
    assert not y.cpu().is_pinned()
    half = y.to("cpu", devgrad.float16, non_blocking=True)
    wide = y.to("cpu", devgrad.float64, non_blocking=True)  # cast on the CPU: this one waits
    cuda.synchronize()
    assert half.tolist() == wide.tolist() == x.tolist()
    assert not devgrad.zeros(0, device="cpu").is_pinned()


def test_what_does_not_block_does_not_wait(on_cuda: Any, request: pytest.FixtureRequest) -> None:
    if "stand-in" not in request.node.name:
        pytest.skip("the stand-in counts what waits")
    import cuda_stand_in

    p = devgrad.arange(6.0, device="cpu").pin_memory()
    x = devgrad.zeros(6)
    with cuda_stand_in.no_waits():
        y = p.to("cuda", non_blocking=True)
        back = y.to("cpu", non_blocking=True)
        x.copy_(p, non_blocking=True)
        p.copy_(y * 2, non_blocking=True)
        y.to("cpu", devgrad.int16, non_blocking=True)
    assert back.tolist() == x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert p.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert p._version == 1
    with pytest.raises(cuda_stand_in.HiddenSynchronisation), cuda_stand_in.no_waits():
        y.cpu()
    # What is not pinned, or looks otherwise, is copied and waited for.
    for target in (devgrad.zeros(6, device="cpu"), devgrad.zeros(2, 6, device="cpu").pin_memory()):
        target.copy_(y, non_blocking=True)
        assert target.reshape(-1)[-6:].tolist() == y.tolist()


def test_memory_used_by_another_stream_is_held(on_cuda: Any, calls: list[Any]) -> None:
    held = on_cuda.from_host.__globals__["_in_flight"]
    held.clear()
    stream, before = cuda.Stream(), cuda.memory_allocated()
    x = devgrad.ones(1000)
    x.record_stream(stream)
    assert not held
    calls.clear()
    del x
    assert calls == [("record", stream.cuda_stream)]
    assert cuda.memory_allocated() > before
    stream.synchronize()
    devgrad.ones(3).to("cpu", non_blocking=True)  # looks at what is done
    assert len(held) == 1
    assert cuda.memory_allocated() == before
    with pytest.raises(RuntimeError, match="record_stream"):
        devgrad.ones(1, device="cpu").record_stream(stream)


def test_memory_on_its_way_is_held(on_cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned memory given back too early would be given to another copy."""
    held = on_cuda.from_host.__globals__["_in_flight"]
    held.clear()
    monkeypatch.setattr(
        sys.modules["cupy"].cuda.Event, "done", property(lambda event: False), raising=False
    )
    p = devgrad.ones(3, device="cpu").pin_memory()
    p.cuda(non_blocking=True)
    devgrad.ones(3).to("cpu", non_blocking=True)
    assert len(held) == 2
    assert held[0][1] is p._array
    monkeypatch.undo()
    cuda.synchronize()
    devgrad.ones(3).to("cpu", non_blocking=True)
    assert len(held) == 1


# --- other libraries' arrays ----------------------------------------------------------------------


class Foreign:
    """Another library's CUDA array, as Numba's is: it has the interface alone."""

    def __init__(self, array: Any, stream: int | None) -> None:
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, "stream": stream}


def test_cuda_array_interface_shares_memory(on_cuda: Any, calls: list[Any]) -> None:
    x = devgrad.arange(6.0).reshape(2, 3)
    theirs = cuda.Stream()
    calls.clear()
    y = devgrad.as_tensor(Foreign(x._array.T, theirs.cuda_stream))
    # Our stream waits for theirs; the host does not.
    assert calls == [("record", theirs.cuda_stream),
                     ("wait", cuda.current_stream().cuda_stream, theirs.cuda_stream)]  # fmt: skip
    assert y.shape == (3, 2)
    assert y.data_ptr() == x.data_ptr()
    y[2, 1] = 50
    assert x[1, 2].item() == 50
    calls.clear()
    for stream in (None, 1):  # no order is asked for; our own stream, the default one
        assert devgrad.as_tensor(Foreign(x._array, stream)).data_ptr() == x.data_ptr()
    assert calls == []
    assert devgrad.as_tensor(Foreign(x._array, None), dtype=devgrad.int64).tolist() == x.tolist()


def test_cuda_array_interface_of_tensors(on_cuda: Any) -> None:
    x = devgrad.arange(6.0).reshape(2, 3)
    found = x.__cuda_array_interface__
    assert found["version"] == 3
    assert found["shape"] == (2, 3)
    assert found["data"] == (x.data_ptr(), False)
    assert found["stream"] == 1  # the default stream; 0 is not allowed
    s = cuda.Stream()
    with cuda.stream(s):
        assert x.__cuda_array_interface__["stream"] == s.cuda_stream
    with pytest.raises(RuntimeError, match="^Can't get __cuda_array_interface__ on Variable that"):
        x.requires_grad_().__cuda_array_interface__  # noqa: B018
    assert not hasattr(devgrad.ones(1, device="cpu"), "__cuda_array_interface__")


def test_arrays_of_cupy_are_shared(on_cuda: Any) -> None:
    cupy = sys.modules["cupy"]
    array = cupy.arange(4, dtype="float32")
    x = devgrad.as_tensor(array)
    assert x.device == devgrad.device("cuda:0")
    assert x.data_ptr() == array.data.ptr
    x[0] = 7
    assert array.tolist() == [7.0, 1.0, 2.0, 3.0]
    assert devgrad.tensor(array).data_ptr() != array.data.ptr
    assert devgrad.from_dlpack(array).data_ptr() == array.data.ptr
    assert (x * array).tolist() == [49.0, 1.0, 4.0, 9.0]


def test_dlpack_tells_the_stream(on_cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = devgrad.arange(3.0)
    told: list[Any] = []
    plain = type(x._array).__dlpack__
    if "stand-in" not in str(sys.modules["cupy"].__doc__):
        pytest.skip("listens to the stand-in")

    def hear(array: Any, **options: Any) -> Any:
        told.append((options, sys.modules["cupy"].cuda.runtime.getDevice()))
        return plain(array, **options)

    monkeypatch.setattr(type(x._array), "__dlpack__", hear)
    x.__dlpack__(stream=1, max_version=(1, 0))
    x.__dlpack__()
    assert told == [({"stream": 1, "max_version": (1, 0)}, 0),
                    ({"stream": -1, "max_version": None}, 0)]  # fmt: skip
    assert x.__dlpack_device__() == (2, 0)
    if cuda.device_count() > 1:
        told.clear()
        y = devgrad.ones(2, device="cuda:1")
        y.__dlpack__(stream=2)
        assert told[0][1] == 1  # the current stream of its own device
        assert y.__dlpack_device__() == (2, 1)
    copied = x.__dlpack__(dl_device=(1, 0))
    assert numpy.from_dlpack(_Capsule(copied, (1, 0))).tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="without copying"):
        x.__dlpack__(dl_device=(1, 0), copy=False)


class _Capsule:
    """What a consumer has got in hand already."""

    def __init__(self, capsule: Any, device: tuple[int, int]) -> None:
        self.capsule, self.device = capsule, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def test_dlpack_on_the_cpu() -> None:
    with devgrad.device("cpu"):
        x = devgrad.arange(6.0).reshape(2, 3).t()
    theirs = torch.from_dlpack(x)
    assert theirs.data_ptr() == x.data_ptr()
    assert theirs.stride() == x.stride()
    assert numpy.shares_memory(numpy.from_dlpack(x), x.numpy())
    back = devgrad.from_dlpack(theirs)
    assert back.data_ptr() == x.data_ptr()
    assert torch.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
    assert devgrad.from_dlpack(theirs, copy=True).data_ptr() != x.data_ptr()
    assert devgrad.from_dlpack(x).data_ptr() == x.data_ptr()
    assert devgrad.from_dlpack(theirs, device="cpu", copy=False).data_ptr() == x.data_ptr()
    assert devgrad.from_dlpack(torch.tensor([True, False])).tolist() == [True, False]
    assert x.__dlpack_device__() == torch.ones(1).__dlpack_device__()
    for call in (
        lambda t: t.ones(1, device="cpu").__dlpack__(stream=3),
        lambda t: t.ones(1, device="cpu").__dlpack__(stream="s"),
        lambda t: t.ones(1, device="cpu", requires_grad=True).__dlpack__(),
    ):
        with pytest.raises(Exception) as expected:
            call(torch)
        with pytest.raises(type(expected.value), match=str(expected.value)[:25]):
            call(devgrad)
    with pytest.raises(BufferError, match="Can't export tensors that require gradient"):
        devgrad.from_dlpack(devgrad.ones(1, requires_grad=True))
    with pytest.raises(TypeError, match="has no __dlpack__"):
        devgrad.from_dlpack([1.0])


def test_from_dlpack_to_another_device(on_cuda: Any) -> None:
    host = numpy.arange(3.0)
    assert devgrad.from_dlpack(host, device="cuda").tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="^cannot move DLPack tensor from device cpu to cuda:0"):
        devgrad.from_dlpack(host, device="cuda", copy=False)


# --- what CuPy does not check ---------------------------------------------------------------------


@pytest.fixture
def debug(on_cuda: Any) -> Iterator[None]:
    assert not cuda.is_debug()
    cuda.set_debug()
    assert cuda.is_debug()
    try:
        yield
    finally:
        cuda.set_debug(False)


BAD_INDICES = {
    "indexing": lambda t: t.arange(3.0)[t.tensor([0, 3])],
    "indexing from the end": lambda t: t.arange(3.0)[t.tensor([-4])],
    "two dimensions": lambda t: t.zeros(2, 3)[t.tensor([1]), t.tensor([3])],
    "writing": lambda t: t.zeros(3).__setitem__(t.tensor([3]), 1.0),
    "gather": lambda t: t.zeros(2, 2).gather(0, t.tensor([[2, 0]])),
    "scatter": lambda t: t.zeros(2, 2).scatter_(0, t.tensor([[2, 0]]), 1.0),
    "index_select": lambda t: t.zeros(2, 2).index_select(0, t.tensor([2])),
    "take": lambda t: t.zeros(2, 2).take(t.tensor([4])),
    "index_add": lambda t: t.zeros(2).index_add_(0, t.tensor([2]), t.ones(1)),
    "embedding": lambda t: t.nn.functional.embedding(t.tensor([5]), t.zeros(3, 2)),
}


@pytest.mark.parametrize("name", BAD_INDICES)
def test_debug_mode_checks_indices(name: str, debug: None) -> None:
    if name == "embedding" and not hasattr(devgrad.nn.functional, "embedding"):
        pytest.skip("there is no embedding yet")
    with devgrad.device("cpu"), pytest.raises((IndexError, RuntimeError)) as theirs:
        BAD_INDICES[name](devgrad)
    with pytest.raises((IndexError, RuntimeError), match="index|out of") as ours:
        BAD_INDICES[name](devgrad)
    assert type(ours.value) is type(theirs.value)


def test_anomaly_mode_checks_indices(on_cuda: Any) -> None:
    index = devgrad.tensor([0, 3])
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = devgrad.autograd.detect_anomaly()
    with mode, pytest.raises(IndexError):
        devgrad.arange(3.0)[index]
    assert not on_cuda.checks_bounds
    assert not cuda.is_debug()
    cuda.set_debug()
    with devgrad.autograd.set_detect_anomaly(False):
        assert on_cuda.checks_bounds
    cuda.set_debug(False)
    assert not on_cuda.checks_bounds


def test_debug_mode_can_be_set_from_outside(tmp_path: Any) -> None:
    import os
    import subprocess
    from pathlib import Path

    code = (
        "import cuda_stand_in; cuda_stand_in.install(); import devgrad; "
        "print(devgrad.cuda.is_debug())"
    )
    for value, expected in (("1", "True"), ("0", "False"), ("", "False")):
        env = {**os.environ, "DEVGRAD_CUDA_DEBUG": value}
        env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), env.get("PYTHONPATH", "")])
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
        assert done.stdout.strip() == expected, done.stderr


def test_failed_decompositions_raise(on_cuda: Any) -> None:
    singular = devgrad.zeros(2, 2)
    raising = on_cuda.linalg
    with pytest.raises(numpy.linalg.LinAlgError):
        raising.inv(singular._array)
    assert raising.LinAlgError is numpy.linalg.LinAlgError
