"""Faults in decoding with state."""
from fault import Fault

TEST = "test_extend"
ONLINE = "layers/hyena/online_conv.cpp"
KERNEL = "kernels/cpu/online_conv.cpp"

FAULTS = [
    Fault("decoding: a tile one sample short", ONLINE,
          "const int64_t U = lowest_bit(t), n = std::min(U, capacity() - t);",
          "const int64_t U = lowest_bit(t), n = std::min(U, capacity() - t) - 1;", TEST),
    Fault("decoding: tiles of all samples so far", ONLINE,
          "const int64_t U = lowest_bit(t), n", "const int64_t U = t, n", TEST),
    Fault("decoding: blocks that are not aligned", ONLINE,
          "w = std::min(w, lowest_bit(at));", "", TEST),
    Fault("decoding: the filter one tap late in a tile", KERNEL,
          "const R* taps = k + r % C * k_stride + U;",
          "const R* taps = k + r % C * k_stride + U - 1;", TEST),
    Fault("decoding: the filter reversed within a block", KERNEL,
          "out[i] += in[j] * taps[i - j];", "out[i] += in[i - j] * taps[w - 1 - j];", TEST),
    Fault("decoding: what earlier samples add left out", KERNEL,
          "out[i] = slot[i];", "out[i] = 0;", TEST),
    Fault("decoding: samples not kept", KERNEL, "slot[i] = in[i];", "", TEST),
    Fault("decoding: a long block not kept", ONLINE, "waiting.copy_(z);", "", TEST),
    Fault("decoding: the wrong half of a long tile", ONLINE,
          "narrow(whole, 2, U, n)", "narrow(whole, 2, 0, n)", TEST),
    Fault("decoding: slots lost when they grow", ONLINE,
          "narrow(slots, 2, 0, before.size(2)).copy_(before);", "", TEST),
    Fault("decoding: copies share a state", "layers/state.cpp",
          "tensor = tensor.clone();", "tensor = tensor.detach();", TEST),
    Fault("decoding: the short convolution forgets a sample",
          "layers/distributed_depthwise_conv1d.cpp", "narrow(all, 2, x.size(2), reach).clone()",
          "narrow(all, 2, std::max<std::int64_t>(x.size(2) - 1, 0), reach).clone()", TEST),
    Fault("decoding: a failed call leaves a state that may be used", "layers/layer.cpp",
          "state.broken_ = state.changed_;", "state.broken_ = false;", TEST),
]
