"""The ONNX graph of encoder and head, built node by node from arrays: no training framework is needed to export.

Inputs:  input_ids, attention_mask: int64 [batch, sequence], both axes free.
Outputs: embedding: float [batch, 384], mean over the tokens, length 1; where there is a head also features: float
         [batch, 384], what it reads, length 1, and logits: float [batch, classes].

int8: every dense weight is stored in 8 bits with one scale per output channel and block of input channels, and the
activations are quantised per row and block inside the kernel (MatMulNBits with accuracy_level 4). Per-tensor dynamic
quantisation, the usual way, lets the largest activation of a batch set the step for all of it: that costs accuracy and,
worse, makes a verdict depend on the other templates of its batch.
"""
from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from base import EPSILON, HEADS, LAYERS, WIDTH, Weights

OPSET = 17
BLOCK = 64
MICROSOFT = "com.microsoft"


class Builder:
    """Collects nodes and constants; each method adds one operation and gives the name of its result."""

    def __init__(self, int8: bool, block: int = BLOCK) -> None:
        self.int8 = int8
        self.block = block
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        """A constant of the graph."""
        self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def op(self, kind: str, inputs: list[str], out: str | list[str], domain: str = "", **attributes: object) -> str:
        """Any operation with the results `out`; gives the first one's name."""
        outs = [out] if isinstance(out, str) else out
        self.nodes.append(helper.make_node(kind, inputs, outs, name=outs[0], domain=domain, **attributes))
        return outs[0]

    def dense(self, x: str, name: str, weight: np.ndarray) -> str:
        """x @ weight, the bias left to whoever comes next."""
        if not self.int8:
            return self.op("MatMul", [x, self.constant(name, weight)], f"{name}/out")
        packed, scales = pack(weight.T, self.block)
        rows = [x, self.constant(name, packed), self.constant(f"{name}/scales", scales)]
        return self.op(
            "MatMulNBits", rows, f"{name}/out", MICROSOFT, K=weight.shape[0], N=weight.shape[1],
            bits=8, block_size=self.block, accuracy_level=4,
        )

    def words(self, ids: str, table: np.ndarray) -> str:
        """The word embeddings of `ids`; in 8 bits one scale per word."""
        if not self.int8:
            return self.op("Gather", [self.constant("words", table), ids], "words/out")
        scale = np.abs(table).max(axis=1, keepdims=True) / 127
        codes = np.rint(table / scale).astype(np.int8)
        row = self.op("Gather", [self.constant("words", codes), ids], "words/codes")
        row = self.op("Cast", [row], "words/float", to=TensorProto.FLOAT)
        step = self.op("Gather", [self.constant("words/scales", scale.astype(np.float32)), ids], "words/step")
        return self.op("Mul", [row, step], "words/out")

    def skip_norm(self, x: str, skip: str, bias: str, name: str, weights: Weights) -> str:
        """LayerNorm(x + bias + skip)."""
        gamma = self.constant(f"{name}.weight", weights[f"{name}.weight"])
        beta = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        return self.op("SkipLayerNormalization", [x, skip, gamma, beta, bias], name, MICROSOFT, epsilon=EPSILON)

    def layer(self, x: str, mask: str, i: int, weights: Weights) -> str:
        """One transformer layer."""
        def bias(name: str) -> str:
            return self.constant(f"{i}.{name}.bias", weights[f"{i}.{name}.bias"])

        joint = np.concatenate([weights[f"{i}.{name}"] for name in "qkv"], axis=1)
        parts = [f"{i}.query", f"{i}.key", f"{i}.value"]
        self.op("Split", [self.dense(x, f"{i}.qkv", joint), self.constant("thirds", np.full(3, WIDTH))], parts, axis=2)
        shift = self.constant(f"{i}.qkv.bias", np.concatenate([weights[f"{i}.{name}.bias"] for name in "qkv"]))
        seen = self.op("MultiHeadAttention", [*parts, shift, mask], f"{i}.seen", MICROSOFT, num_heads=HEADS)
        x = self.skip_norm(self.dense(seen, f"{i}.o", weights[f"{i}.o"]), x, bias("o"), f"{i}.norm1", weights)
        up = self.op("BiasGelu", [self.dense(x, f"{i}.up", weights[f"{i}.up"]), bias("up")], f"{i}.gelu", MICROSOFT)
        return self.skip_norm(self.dense(up, f"{i}.down", weights[f"{i}.down"]), x, bias("down"), f"{i}.norm2", weights)

    def pooled(self, x: str, attention_mask: str) -> str:
        """The mean of the rows of `x` that are tokens."""
        mask = self.op("Cast", [attention_mask], "mask/float", to=TensorProto.FLOAT)
        column = self.op("Unsqueeze", [mask, self.constant("last", np.array([2]))], "mask/column")
        kept = self.op("Mul", [x, column], "pool/kept")
        total = self.op("ReduceSum", [kept, self.constant("tokens", np.array([1]))], "pool/total", keepdims=0)
        count = self.op("ReduceSum", [column, "tokens"], "pool/count", keepdims=0)
        return self.op("Div", [total, count], "pool/mean")

    def features(self, x: str, mean: str, weights: Weights) -> str:
        """What the head and the nearest examples read, of length 1: a projection of the first token and the mean."""
        if "feature.weight" not in weights:
            return self.op("LpNormalization", [mean], "features", axis=1, p=2)
        first = self.op("Gather", [x, self.constant("first", np.array(0))], "features/first", axis=1)
        both = self.op("Concat", [first, mean], "features/both", axis=1)
        parts = [self.constant(f"feature.{part}", weights[f"feature.{part}"]) for part in ("weight", "bias")]
        return self.op("LpNormalization", [self.op("Gemm", [both, *parts], "features/raw")], "features", axis=1, p=2)


def pack(weight: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """`weight` [out, in] as unsigned bytes around 128 [out, blocks, block], and the scales [out, blocks]."""
    outs, ins = weight.shape
    if ins % block:
        raise ValueError(f"{ins} input channels are no multiple of the block of {block}")
    blocks = weight.reshape(outs, ins // block, block)
    scales = np.abs(blocks).max(axis=2) / 127
    scales[scales == 0] = 1
    codes = np.rint(blocks / scales[:, :, None]) + 128
    return codes.astype(np.uint8), scales.astype(np.float32)


def build(weights: Weights, int8: bool, block: int = BLOCK) -> onnx.ModelProto:
    """The whole model. `weights` as base.py gives them; with `head.weight` [384, classes] it has logits too."""
    b = Builder(int8, block)
    ids, attention_mask = "input_ids", "attention_mask"
    shape = b.op("Shape", [ids], "shape")
    length = b.op("Slice", [shape, b.constant("one", np.array([1])), b.constant("two", np.array([2]))], "length")
    places = b.constant("positions", weights["positions"])
    where = b.op("Slice", [places, b.constant("zero", np.array([0])), length], "positions/out")
    x = b.op("Add", [b.words(ids, weights["words"]), where], "embedded")
    norm0 = [b.constant(f"norm0.{part}", weights[f"norm0.{part}"]) for part in ("weight", "bias")]
    x = b.op("LayerNormalization", [x, *norm0], "norm0", axis=-1, epsilon=EPSILON)
    mask = b.op("Cast", [attention_mask], "mask/int", to=TensorProto.INT32)
    for i in range(LAYERS):
        x = b.layer(x, mask, i, weights)
    mean = b.pooled(x, attention_mask)
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])]
    b.op("LpNormalization", [mean], "embedding", axis=1, p=2)
    if "head.weight" in weights:
        classes = weights["head.weight"].shape[1]
        head = [b.constant(f"head.{part}", weights[f"head.{part}"]) for part in ("weight", "bias")]
        b.op("Gemm", [b.features(x, mean, weights), *head], "logits")
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH]))
        outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in (ids, attention_mask)]
    graph = helper.make_graph(b.nodes, "logsieve", inputs, outputs, list(b.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="logsieve")
