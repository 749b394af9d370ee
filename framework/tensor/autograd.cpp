#include "framework/tensor/autograd.h"

#include <algorithm>
#include <unordered_map>

#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"
#include "kernels/elementwise.h"
#include "kernels/functors.h"

namespace crocuta {
namespace {

thread_local bool recording = true;
thread_local std::uint64_t next_sequence = 0;
thread_local const char* running_op = "backward";  // for messages

// Destroys nodes one after the other instead of each inside its consumer: a graph may be a chain
// of any length, and the stack is short.
void release(autograd::Node* node) {
  thread_local std::vector<autograd::Node*> pending;
  thread_local bool draining = false;
  pending.push_back(node);
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    autograd::Node* next = pending.back();
    pending.pop_back();
    delete next;
  }
  draining = false;
}

// y = a + b, all of one shape and kind; y has no gaps, and may be a.
void add_into(const Tensor& y, const Tensor& a, const Tensor& b) {
  const auto walk = strided_shape<2>(y.shape(), {a.strides(), b.strides()});
  dispatch("backward", y, [&]<class Device, class T>() {
    kernels::binary<Device, kernels::Add, T>(walk, {}, a.data<T>(), b.data<T>(), y.data<T>(),
                                             current_stream(y.device()));
  });
}

Tensor sum_of(const Tensor& a, const Tensor& b) {
  Tensor y = empty(a.shape(), a.options());
  add_into(y, a, b);
  return y;
}

// A sum of gradients. The first is borrowed, so that a single gradient is never copied; from the
// second on, the sum has storage of its own and grows in place.
struct Accumulator {
  Tensor sum;
  bool owned = false;

  void add(const Tensor& grad) {
    if (!sum.defined()) {
      sum = grad;
    } else if (!owned) {
      sum = sum_of(sum, grad);
      owned = true;
    } else {
      add_into(sum, sum, grad);
    }
  }
};

void check_gradient(const char* op, std::size_t i, const autograd::Node::Input& input,
                    const Tensor& grad) {
  const auto [dtype, device] = input.options;
  if (grad.shape() != input.shape || grad.dtype() != dtype) {
    throw Error(str(op, ": the gradient of input ", i, " should be ", dtype, " ",
                    to_string(input.shape), ", is ", grad.dtype(), " ", to_string(grad.shape())));
  }
  if (grad.device() != device) {
    throw Error(str(op, ": the gradient of input ", i, " should be on ", device, ", is on ",
                    grad.device()));
  }
}

void require_like(const Tensor& y, const Tensor& dy) {
  if (dy.shape() != y.shape()) {
    fail<ShapeError>("backward", "dy", to_string(y.shape()), to_string(dy.shape()));
  }
  if (dy.dtype() != y.dtype()) {
    fail<DTypeError>("backward", "dy", name(y.dtype()), name(dy.dtype()));
  }
  if (dy.device() != y.device()) {
    fail<DeviceError>("backward", "dy", name(y.device()), name(dy.device()));
  }
}

void require_version(const char* what, const Tensor& tensor, std::uint64_t version) {
  if (tensor.storage()->version == version) return;
  throw Error(str(running_op, ": saved tensor '", what, "' ", to_string(tensor.shape()),
                  " was changed in place between the forward pass and backward"));
}

void accumulate_leaf(const Tensor& leaf, const Tensor& grad) {
  leaf.set_grad(leaf.grad().defined() ? sum_of(leaf.grad(), grad) : grad);
}
}  // namespace

NoGrad::NoGrad() : previous_(recording) {
  recording = false;
}
NoGrad::~NoGrad() {
  recording = previous_;
}

SavedTensor::SavedTensor(const char* name, const Tensor& tensor) : name_(name) {
  if (!tensor.defined()) return;
  tensor_ = tensor.detach();
  version_ = tensor.storage()->version;
}

const Tensor& SavedTensor::get() const {
  if (tensor_.defined()) require_version(name_, tensor_, version_);
  return tensor_;
}

namespace autograd {

bool is_recording() {
  return recording;
}

Tensor detail::record(const char* name, Tensor y, const std::vector<Tensor>& inputs,
                      std::function<Grads(const Tensor&, const Tensor&)> backward,
                      bool needs_output) {
  if (!recording) return y;
  const auto needs_grad = [](const Tensor& x) { return x.defined() && x.requires_grad(); };
  if (std::none_of(inputs.begin(), inputs.end(), needs_grad)) return y;
  std::shared_ptr<Node> node(new Node, release);
  node->name = name;
  node->sequence = next_sequence++;
  for (const Tensor& x : inputs) {
    Node::Input input;
    if (needs_grad(x)) {
      input.node = x.node();
      if (!input.node) input.leaf = x;
      input.shape = x.shape();
      input.options = x.options();
    }
    node->inputs.push_back(std::move(input));
  }
  node->backward = std::move(backward);
  if (needs_output) {
    node->output = y.detach();
    node->output_version = y.storage()->version;
  }
  y.set_node(std::move(node));
  return y;
}

void backward(const Tensor& y, const Tensor& dy) {
  if (!y.requires_grad()) {
    throw ArgumentError(
        "backward: 'this': expected a tensor that depends on one requiring a "
        "gradient, got one that does not");
  }
  require_like(y, dy);
  const NoGrad guard;
  if (!y.node()) {
    accumulate_leaf(y, dy.clone());
    return;
  }

  // A node is recorded after its inputs, so visiting by falling sequence number meets every
  // consumer of a node before the node itself. Leaves are collected here and assigned at the
  // end, so that a failing walk changes no gradient.
  std::unordered_map<Node*, Accumulator> grads;
  std::vector<std::shared_ptr<Node>> heap;
  const auto older = [](const auto& a, const auto& b) { return a->sequence < b->sequence; };
  std::unordered_map<const void*, std::size_t> leaf_index;
  std::vector<std::pair<Tensor, Accumulator>> leaves;
  const auto send = [&](const Node::Input& input, const Tensor& grad) {
    if (input.node) {
      const auto [entry, is_new] = grads.try_emplace(input.node.get());
      entry->second.add(grad);
      if (is_new) {
        heap.push_back(input.node);
        std::push_heap(heap.begin(), heap.end(), older);
      }
    } else {
      const auto [entry, is_new] = leaf_index.try_emplace(input.leaf.identity(), leaves.size());
      if (is_new) leaves.emplace_back(input.leaf, Accumulator{});
      leaves[entry->second].second.add(grad);
    }
  };

  heap.push_back(y.node());
  grads[y.node().get()].add(dy);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), older);
    const std::shared_ptr<Node> node = std::move(heap.back());
    heap.pop_back();
    if (!node->backward) {
      throw Error(str(node->name,
                      ": backward: this graph was walked before and its memory "
                      "released; run the forward pass again"));
    }
    const auto found = grads.find(node.get());
    const Tensor grad = found->second.sum.contiguous();
    grads.erase(found);
    running_op = node->name;
    if (node->output.defined()) require_version("y", node->output, node->output_version);
    const Grads results = node->backward(grad, node->output);
    if (results.size() != node->inputs.size()) {
      throw Error(str(node->name, ": the backward function returned ", results.size(),
                      " gradients for ", node->inputs.size(), " inputs"));
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Node::Input& input = node->inputs[i];
      if (!results[i].defined() || (!input.node && !input.leaf.defined())) continue;
      check_gradient(node->name, i, input, results[i]);
      send(input, results[i]);
    }
    node->backward = nullptr;
    node->output = {};
    node->inputs.clear();
  }
  // A gradient handed to several leaves is copied, so that each leaf owns its own.
  for (auto& [leaf, total] : leaves) {
    accumulate_leaf(leaf, total.sum.is_sole_owner() ? total.sum.contiguous() : total.sum.clone());
  }
}

}  // namespace autograd
}  // namespace crocuta
