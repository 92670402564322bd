// Tensors that go to a GPU without waiting for what it computes. TensorFlow's own copies wait until all queued work is done, so that a host that
// uploads a few indices in the middle of a step has nothing queued behind it. Here values go to memory of this file's own, on a stream of its own.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace thaw {

// Memory on the device and a way there. A block that was freed may still be read by queued work: it is used again once a result was read back after
// that, since a GPU's work ends in order.
class DeviceUploads {
 public:
  // More is uploaded as TensorFlow does it.
  static constexpr size_t kMostBytes = size_t{32} << 20;

  // `bytes` of the host's memory on the device, to be given back by `Free`; null if there is none to be had.
  void* Upload(const void* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (bytes == 0 || bytes > kMostBytes || !Enter()) return nullptr;
    const size_t size = RoundUp(bytes);
    void* block = Take(size);
    const void* from = block == nullptr ? nullptr : Staged(data, bytes);
    const bool is_there = from != nullptr && copy_(block, from, bytes, stream_) == 0 && wait_(stream_) == 0;
    if (block != nullptr && !is_there) free_[size].push_back(block);
    void* before = nullptr;
    pop_(&before);
    return is_there ? block : nullptr;
  }

  void Free(void* block, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    freed_.emplace_back(RoundUp(bytes), block);
  }

  // What was freed before a result began to be read back.
  std::vector<std::pair<size_t, void*>> BeginRead() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(freed_, {});
  }

  // The result is there: nothing reads those blocks any more.
  void EndRead(const std::vector<std::pair<size_t, void*>>& blocks) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [size, block] : blocks) free_[size].push_back(block);
  }

 private:
  using Context = void*;
  using Stream = void*;

  // Few sizes, so that blocks are used again: powers of two, then multiples of 64 KiB.
  static size_t RoundUp(size_t bytes) {
    constexpr size_t kStep = 64 << 10;
    if (bytes > kStep) return (bytes + kStep - 1) / kStep * kStep;
    size_t size = 256;
    while (size < bytes) size *= 2;
    return size;
  }

  void* Take(size_t size) {
    std::vector<void*>& blocks = free_[size];
    void* block = nullptr;
    if (blocks.empty()) return device_allocate_(&block, size) == 0 ? block : nullptr;
    block = blocks.back();
    blocks.pop_back();
    return block;
  }

  // The values in memory that the device reads by itself.
  const void* Staged(const void* data, size_t bytes) {
    if (bytes > staging_bytes_) {
      if (staging_ != nullptr) host_free_(staging_);
      constexpr unsigned kPortable = 1;
      const bool is_made = host_allocate_(&staging_, bytes, kPortable) == 0;
      staging_bytes_ = is_made ? bytes : 0;
      if (!is_made) staging_ = nullptr;
    }
    if (staging_ != nullptr) std::memcpy(staging_, data, bytes);
    return staging_;
  }

  // Makes the device's context, which TensorFlow's is too, current.
  bool Enter() {
    if (is_broken_ || !Load()) return false;
    if (context_ == nullptr && retain_(&context_, 0) != 0) return Fail();
    if (push_(context_) != 0) return Fail();
    constexpr unsigned kNonBlocking = 1;
    if (stream_ != nullptr || make_stream_(&stream_, kNonBlocking) == 0) return true;
    void* before = nullptr;
    pop_(&before);
    return Fail();
  }

  // Of CUDA's driver, which is there if a GPU is: no need to link against it.
  bool Load() {
    if (wait_ != nullptr) return true;
    void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (driver == nullptr) return Fail();
    const bool is_whole = Find(driver, "cuDevicePrimaryCtxRetain", &retain_) && Find(driver, "cuCtxPushCurrent_v2", &push_) && Find(driver, "cuCtxPopCurrent_v2", &pop_) &&
                          Find(driver, "cuMemFreeHost", &host_free_) && Find(driver, "cuMemHostAlloc", &host_allocate_) && Find(driver, "cuMemAlloc_v2", &device_allocate_) &&
                          Find(driver, "cuStreamCreate", &make_stream_) && Find(driver, "cuMemcpyHtoDAsync_v2", &copy_) && Find(driver, "cuStreamSynchronize", &wait_);
    return is_whole || Fail();
  }

  template <typename Function>
  static bool Find(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function != nullptr;
  }

  bool Fail() {
    is_broken_ = true;
    return false;
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  std::vector<std::pair<size_t, void*>> freed_;
  void* staging_ = nullptr;
  size_t staging_bytes_ = 0;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  bool is_broken_ = false;
  int (*retain_)(Context*, int) = nullptr;
  int (*push_)(Context) = nullptr;
  int (*pop_)(Context*) = nullptr;
  int (*host_free_)(void*) = nullptr;
  int (*host_allocate_)(void**, size_t, unsigned) = nullptr;
  int (*device_allocate_)(void**, size_t) = nullptr;
  int (*make_stream_)(Stream*, unsigned) = nullptr;
  int (*copy_)(void*, const void*, size_t, Stream) = nullptr;
  int (*wait_)(Stream) = nullptr;
};

}  // namespace thaw
