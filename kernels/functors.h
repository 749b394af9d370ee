// The functions of two variables that kernels/elementwise.h applies. Each takes and returns
// accumulator values (float for the 16-bit types). Parameters of a function are members of its
// functor.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

struct Add {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return a + b;
  }
};
struct Sub {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return a - b;
  }
};
struct Mul {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return a * b;
  }
};
struct Div {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return a / b;
  }
};

// Instantiated for the floating types and for the integers:
#define CROCUTA_ARITHMETIC_FUNCTORS(X) X(Add) X(Sub) X(Mul)
// Instantiated for the floating types:
#define CROCUTA_BINARY_FUNCTORS(X) X(Div)

}  // namespace crocuta::kernels
