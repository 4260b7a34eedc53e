"""Networks for other runtimes: ONNX.

For PyTorch without this package's code there is `torch.export`, which takes the networks as they
are; TorchScript is not needed:

    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (images,), dynamic_shapes=({0: batch},))
    torch.export.save(program, "lenet5.pt2")
    penalties = torch.export.load("lenet5.pt2").module()(images)

`images` is any batch of two or more; the program then takes batches of every size.
"""

from pathlib import Path

import torch

from lenet1998.files import write_atomically
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.network import Network

__all__ = ["OPSET", "to_onnx"]

OPSET = 18  # of the ONNX operators; onnxruntime takes it since 1.14


def to_onnx(net: Network, file: str | Path) -> None:
    """Write a network as an ONNX file, checked by ONNX and written whole.

    Its input is `images`, `(batch, 1, 32, 32)` float32, background -0.1 to ink 1.175, with any
    batch size from 1. Its output, `(batch, 10)`, is `penalties` of a network of the 1998 kind, the
    smallest wins; else `logits`, the largest wins.

    Raises:
        ImportError: without the packages of `lenet1998[onnx]`.
        TypeError: for another dtype, which onnxruntime has no convolution for.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch.onnx.export asks for it
    except ImportError as error:
        raise ImportError(
            f"ONNX export needs onnx and onnxscript ({error}): pip install lenet1998[onnx]"
        ) from error
    parameter = next(net.parameters())
    if parameter.dtype != torch.float32:
        raise TypeError(f"expected a float32 network, got {parameter.dtype}: use net.float()")

    # Two images: a batch of one would be taken for a fixed size.
    images = parameter.new_zeros(2, 1, net.FIELD, net.FIELD)
    program = torch.onnx.export(
        net,
        (images,),
        input_names=["images"],
        output_names=["penalties" if isinstance(net, ChainNetwork) else "logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # torch.onnx.export returns a program when it is given no file
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    write_atomically(Path(file), model.SerializeToString())
