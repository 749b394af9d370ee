// A kernel that needs twice the registers its launch bounds leave it. It is not part of any
// program: see test_spills_fail_the_build in tests/CMakeLists.txt.
__global__ void __launch_bounds__(1024, 2) spill(float* x) {
  float values[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) values[i] = x[i * 1024 + threadIdx.x];
  for (int n = 0; n < 100; ++n) {
#pragma unroll
    for (int i = 0; i < 64; ++i) values[i] = values[i] * values[(i * 7 + 1) % 64] + 1.0f;
  }
#pragma unroll
  for (int i = 0; i < 64; ++i) x[i * 1024 + threadIdx.x] = values[i];
}
