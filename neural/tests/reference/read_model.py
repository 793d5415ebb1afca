"""Reads a model that the crate wrote, and prints what its network gives for the rows asked for.

python3 read_model.py FILE ROWS, where ROWS is JSON. Shares no code with the crate, and is checked
against the package safetensors where that is there.
"""

import json
import struct
import sys


def read(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, info in header.items():
        assert info["dtype"] == "F32", name
        begin, end = (8 + length + offset for offset in info["data_offsets"])
        tensors[name] = info["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    return metadata, tensors


def check(path, metadata, tensors):
    try:
        from safetensors import safe_open
    except ImportError:
        return False
    with safe_open(path, "numpy") as file:
        assert file.metadata() == metadata
        assert set(file.keys()) == set(tensors)
        for name, (shape, values) in tensors.items():
            tensor = file.get_tensor(name)
            assert list(tensor.shape) == shape and tuple(tensor.flatten().tolist()) == values
    return True


def forward(tensors, row):
    layers = sorted(int(name.split(".")[1]) for name in tensors if name.endswith("weight"))
    for layer in layers:
        (outputs, inputs), weight = tensors[f"net.{layer}.weight"]
        bias = tensors[f"net.{layer}.bias"][1]
        assert len(row) == inputs
        rows = (weight[n * inputs : (n + 1) * inputs] for n in range(outputs))
        row = [b + sum(w * x for w, x in zip(own, row)) for own, b in zip(rows, bias)]
        if layer != layers[-1]:
            row = [max(value, 0.0) for value in row]
    return row


def main():
    path, rows = sys.argv[1], json.loads(sys.argv[2])
    metadata, tensors = read(path)
    checked = check(path, metadata, tensors)
    outputs = [forward(tensors, row) for row in rows]
    print(json.dumps({"metadata": metadata, "outputs": outputs, "package": checked}))


if __name__ == "__main__":
    main()
