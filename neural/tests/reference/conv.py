"""Prints conv.json: convolutions, pooling and their gradients, by NumPy in double precision and in
the plainest way, for tests/conv.rs.

pip install numpy, then:
python3 neural/tests/reference/conv.py > neural/tests/reference/conv.json
"""

import json

import numpy as np

ROWS = 3
IMAGE = (2, 9, 7)
CLASSES = 4


class Conv:
    def __init__(self, rng, image, outputs, kernel, stride, padding):
        self.image, self.outputs = image, outputs
        self.kernel, self.stride, self.padding = kernel, stride, padding
        fan_in = image[0] * kernel * kernel
        self.w = single(rng, (outputs, image[0], kernel, kernel), fan_in**-0.5)
        self.b = single(rng, outputs, 0.1)
        side = lambda n: (n + 2 * padding - kernel) // stride + 1
        self.result = (outputs, side(image[1]), side(image[2]))

    def places(self):
        """Each output place, and the window of the padded image that it sees."""
        for y in range(self.result[1]):
            for x in range(self.result[2]):
                rows = slice(y * self.stride, y * self.stride + self.kernel)
                columns = slice(x * self.stride, x * self.stride + self.kernel)
                yield y, x, rows, columns

    def pad(self, x):
        p = self.padding
        return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))

    def forward(self, x):
        self.x = self.pad(x)
        out = np.zeros((len(x), *self.result))
        for i, j, rows, columns in self.places():
            window = self.x[:, :, rows, columns]
            out[:, :, i, j] = np.einsum("nckl,ockl->no", window, self.w) + self.b
        return out

    def backward(self, slope):
        self.dw, self.db = np.zeros_like(self.w), slope.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        for i, j, rows, columns in self.places():
            own = slope[:, :, i, j]
            self.dw += np.einsum("no,nckl->ockl", own, self.x[:, :, rows, columns])
            dx[:, :, rows, columns] += np.einsum("no,ockl->nckl", own, self.w)
        p = self.padding
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]

    def text(self):
        sides = "x".join(map(str, self.image))
        how = f"kernel {self.kernel} stride {self.stride} padding {self.padding}"
        return f"conv2d {sides} {self.outputs} {how}"


class Dense:
    def __init__(self, rng, inputs, outputs):
        self.w, self.b = single(rng, (outputs, inputs), inputs**-0.5), single(rng, outputs, 0.1)

    def forward(self, x):
        self.x = x
        return x @ self.w.T + self.b

    def backward(self, slope):
        self.dw, self.db = slope.T @ self.x, slope.sum(axis=0)
        return slope @ self.w

    def text(self):
        return f"dense {self.w.shape[1]} {self.w.shape[0]}"


class Leaky:
    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, slope):
        return slope * np.where(self.x > 0, 1, self.slope)

    def text(self):
        return f"leaky-relu {self.slope}" if self.slope else "relu"


class Pool:
    def __init__(self, image):
        self.image = image
        self.result = (image[0], image[1] // 2, image[2] // 2)

    def windows(self, x):
        n, c, h, w = x.shape
        even = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        return even.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)

    def forward(self, x):
        self.x = x
        return self.windows(x).max(axis=-1)

    def backward(self, slope):
        best = self.windows(self.x).argmax(axis=-1)
        dx = np.zeros_like(self.x)
        for place in np.ndindex(*slope.shape):
            n, c, i, j = place
            dx[n, c, 2 * i + best[place] // 2, 2 * j + best[place] % 2] = slope[place]
        return dx

    def text(self):
        return "max-pool2d " + "x".join(map(str, self.image))


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, slope):
        return slope.reshape(self.shape)

    def text(self):
        return "flatten"


def single(rng, shape, scale=1.0):
    return rng.normal(0, scale, shape).astype(np.float32).astype(float)


def numbers(array):
    return [float(f"{value:.9g}") for value in np.ravel(array)]


def main():
    rng = np.random.default_rng(5)
    one = Conv(rng, IMAGE, 5, 3, 1, 1)
    pool = Pool(one.result)
    two = Conv(rng, pool.result, 6, 3, 2, 1)
    three = Conv(rng, two.result, 3, 2, 1, 0)
    size = int(np.prod(three.result))
    layers = [one, Leaky(0), pool, two, Leaky(0.1), three, Flatten(), Dense(rng, size, CLASSES)]
    x = single(rng, (ROWS, *IMAGE))
    labels = rng.integers(0, CLASSES, ROWS)
    own = x
    for layer in layers:
        own = layer.forward(own)
    shares = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(ROWS), labels]).mean()
    slope = (shares - np.eye(CLASSES)[labels]) / ROWS
    for layer in reversed(layers):
        slope = layer.backward(slope)
    trained = {str(n): layer for n, layer in enumerate(layers) if hasattr(layer, "w")}
    print(json.dumps({
        "architecture": ", ".join(layer.text() for layer in layers),
        "shapes": {n: list(layer.w.shape) for n, layer in trained.items()},
        "weight": {n: numbers(layer.w) for n, layer in trained.items()},
        "bias": {n: numbers(layer.b) for n, layer in trained.items()},
        "images": numbers(x),
        "labels": labels.tolist(),
        "outputs": numbers(own),
        "loss": float(loss),
        "weight_gradient": {n: numbers(layer.dw) for n, layer in trained.items()},
        "bias_gradient": {n: numbers(layer.db) for n, layer in trained.items()},
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
