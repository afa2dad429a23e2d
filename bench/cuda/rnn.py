"""The learned optimizer in PyTorch, as one would write it there: what the CUDA library is compared with.

The formulas are those of native/param_step.h, native/levels.h and native/gru.h; `deviation_from` holds them against steps of the
CPU core in double precision. Without attention, clipping, and gradients that are not finite.
"""

import json
import math
import struct
from pathlib import Path

import torch


def read_weights(path):
    """Architecture and tensors (float64) of a weights file of this repository."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    architecture = json.loads(header["__metadata__"]["architecture"])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"]).double()
    return architecture, tensors


def gru(x, h, gates, candidate, bias, injected):
    """r, u = σ(W_g [x, h] + b), c = tanh(W_c [x, r∘h] + b), h' = u∘h + (1 − u)∘c; `bias` is that of gates and candidate."""
    n = h.shape[-1]
    total = bias if injected is None else bias + injected
    gate = torch.sigmoid(torch.addmm(total[: 2 * n], torch.cat([x, h], 1), gates))
    reset, update = gate[:, :n], gate[:, n:]
    c = torch.tanh(torch.addmm(total[2 * n :], torch.cat([x, reset * h], 1), candidate))
    return c + update * (h - c)


class Rnn:
    """State of some tensors and the step of all levels. `compiled`: by torch.compile."""

    def __init__(self, weights_file, lengths, start_log_rate, device, dtype=torch.float32, compiled=False):
        a, tensors = read_weights(weights_file)
        unsupported = [a["attention"], a["extremeRateIndicator"], a["scaleDecayPerTimescale"], not a["gradientProducts"]]
        unsupported += [a["levels"] != 3, a.get("activations", "transcendental") != "transcendental"]
        unsupported += [not a.get("inputScaling", True), a["learningRateMean"] != "problem"]
        unsupported += [not a["relativeLogMagnitude"], not a["relativeLearningRate"]]
        if any(unsupported):
            raise ValueError(f"{weights_file}: an architecture that this program does not have")
        self.a = a
        # The parameter level in `dtype`, those above in double, as in the library.
        self.w = {k: v.to(device, dtype if k.startswith("parameter.") else torch.float64) for k, v in tensors.items()}
        wide = {k: v.to(device) for k, v in tensors.items()}
        self.cell_bias = torch.cat([wide["parameter.cell.gates.bias"], wide["parameter.cell.candidate.bias"]])
        for level in ("tensor", "global"):
            self.w[level + ".bias"] = torch.cat([wide[level + ".cell.gates.bias"], wide[level + ".cell.candidate.bias"]])
        self.rate_momentum = 1 / (1 + math.exp(-tensors["parameter.learningRate.momentumLogit"].item()))
        self.step_offset = tensors["parameter.stepSizeOffset"].item()
        H, S = a["parameterHidden"], a["timescales"]
        zeros = lambda *shape: torch.zeros(*shape, device=device, dtype=dtype)
        initial = self.w["parameter.initialHidden"].reshape(1, H)
        self.state = [
            (initial.repeat(n, 1), zeros(n, S), zeros(n, S), zeros(n) + start_log_rate) for n in lengths
        ]
        self.levels = [wide["tensor.initialHidden"].reshape(1, -1) for _ in lengths]
        self.top = wide["global.initialHidden"].reshape(1, -1)
        self.coordinates = sum(lengths)
        self._step = torch.compile(self._all, dynamic=False) if compiled else self._all

    @torch.no_grad()
    def step(self, parameters, gradients, weight_decay=0.0):
        """One step; returns the new parameters."""
        parameters, self.state, self.levels, self.top = self._step(
            parameters, gradients, self.state, self.levels, self.top, weight_decay
        )
        return parameters

    def _all(self, parameters, gradients, state, levels, top, weight_decay):
        w = self.w
        mean_rate = sum(s[3].sum(dtype=torch.float64) for s in state) / self.coordinates
        shared = self.cell_bias + (top @ w["globalToParameter.matrix"])[0] + w["globalToParameter.bias"]
        injected = (top @ w["globalToTensor.matrix"])[0] + w["globalToTensor.bias"]
        new_parameters, new_state, new_levels = [], [], []
        for theta, g, s, level in zip(parameters, gradients, state, levels):
            bias = shared + (level @ w["tensorToParameter.matrix"])[0] + w["tensorToParameter.bias"]
            s, raw, squares, means = self._advance(g, s, bias.to(g.dtype), mean_rate.to(g.dtype))
            factor = torch.rsqrt(squares + 1e-16).to(g.dtype)
            new_parameters.append(theta - (raw * factor + weight_decay * theta))
            new_state.append(s)
            args = (w["tensor.cell.gates.matrix"], w["tensor.cell.candidate.matrix"], w["tensor.bias"], injected)
            new_levels.append(gru(means.reshape(1, -1), level, *args))
        mean = torch.cat(new_levels).mean(0, keepdim=True)
        args = (w["global.cell.gates.matrix"], w["global.cell.candidate.matrix"], w["global.bias"], None)
        return new_parameters, new_state, new_levels, gru(mean, top, *args)

    def _advance(self, gradient, state, bias, mean_rate):
        """The parameter level of one tensor: new state, raw step, mean d², means of [h', x]."""
        a, w = self.a, self.w
        hidden, momentum, scale, log_rate = state
        S = a["timescales"]
        g = (gradient * a["gradientScale"]).clamp(-1e18, 1e18)
        fresh = scale[:, 0] == 0

        def decay_of(name):
            x = hidden @ w[f"parameter.{name}.readout"] + w[f"parameter.{name}.bias"]
            return torch.where(fresh, 0.0, torch.sigmoid(x)), torch.where(fresh, 1.0, torch.sigmoid(-x))

        decay, gain = decay_of("inputDecay")
        decays, gains = [decay], [gain]
        for _ in range(S - 1):
            decays.append(decays[-1].sqrt())
            gains.append(gains[-1] / (1 + decays[-1]))
        momentum = torch.stack(decays, 1) * momentum + torch.stack(gains, 1) * g[:, None]
        decay, gain = decay_of("scaleDecay")
        scale = decay[:, None] * scale + gain[:, None] * (momentum * momentum + 1e-12)
        shifted = scale + 1e-16
        m = torch.asinh(momentum / shifted.sqrt())
        magnitude = shifted.log()
        x = [m, m[:, :-1] * m[:, 1:], magnitude - magnitude.mean(1, keepdim=True), (log_rate - mean_rate)[:, None]]
        if a["absoluteLearningRate"]:
            x.append((log_rate + 6.907755278982137)[:, None])
        x = torch.cat(x, 1)
        args = (w["parameter.cell.gates.matrix"], w["parameter.cell.candidate.matrix"], bias, None)
        hidden = gru(x, hidden, *args)
        direction = hidden @ w["parameter.update.readout"] + m @ w["parameter.update.shortcut"]
        change = hidden @ w["parameter.learningRate.readout"] + w["parameter.learningRate.bias"]
        log_step = (log_rate + change).clamp(-33.0, a["maxLogLearningRate"])
        log_rate = self.rate_momentum * log_rate + (1 - self.rate_momentum) * log_step
        raw = torch.exp(log_step + self.step_offset) * direction
        squares = (direction * direction).mean(dtype=torch.float64)
        means = torch.cat([hidden.mean(0, dtype=torch.float64), x.mean(0, dtype=torch.float64)])
        return (hidden, momentum, scale, log_rate), raw, squares, means


def deviation_from(dump, weights_file, device, dtype, compiled=False):
    """Runs the steps of `dump` (bench/cuda/dump_steps.cpp); the largest difference of state and parameters, relative to the
    largest magnitude of each (for parameters, of the movement)."""
    start = [torch.tensor(t["parameters"], dtype=torch.float64) for t in dump["start"]]
    rnn = Rnn(weights_file, [len(t) for t in start], dump["startLogRate"], device, dtype, compiled)
    parameters = [t.to(device, dtype) for t in start]
    worst = 0.0

    def compare(ours, golden, origin=0.0):
        nonlocal worst
        golden = torch.as_tensor(golden, dtype=torch.float64).flatten()
        difference = (ours.detach().double().cpu().flatten() - golden).abs().max().item()
        size = (golden - origin).abs().max().item()
        worst = max(worst, difference / size) if difference == difference else math.inf

    for step in dump["steps"]:
        gradients = [torch.tensor(t["gradient"], dtype=torch.float64).to(device, dtype) for t in step["tensors"]]
        parameters = rnn.step(parameters, gradients, 0.01)
        for t, golden in enumerate(step["tensors"]):
            for ours, name in zip(rnn.state[t], ("hidden", "momentum", "scale", "logRate")):
                compare(ours, golden[name])
            compare(parameters[t], golden["parameters"], start[t])
            compare(rnn.levels[t], golden["tensor"])
        compare(rnn.top, step["global"])
    return worst
