// A kernel that writes past its memory, which compute-sanitizer has to notice before its silence
// about the others is believed. It is not part of any program: see steps.sh.
namespace crocuta {
__global__ void write_behind(char* block, int bytes) {
  block[bytes + threadIdx.x] = 1;
}
}  // namespace crocuta

int main() {
  char* block = nullptr;
  if (cudaMalloc(&block, 256) != cudaSuccess) return 2;
  crocuta::write_behind<<<1, 1>>>(block, 256);
  return cudaDeviceSynchronize() == cudaSuccess ? 0 : 1;
}
