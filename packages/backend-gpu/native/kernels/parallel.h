// A pool of threads for loops over rows. TensorFlow's own pool is out of reach of its C interface.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace thaw {

// Processors that this process may use, or TF_NUM_INTRAOP_THREADS where it is set, as for TensorFlow's pool.
inline int ThreadCount() {
  static const int count = [] {
    const char* wanted = std::getenv("TF_NUM_INTRAOP_THREADS");
    if (wanted != nullptr && std::atoi(wanted) > 0) return std::atoi(wanted);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const unsigned all = std::thread::hardware_concurrency();
    return all == 0 ? 1 : static_cast<int>(all);
  }();
  return count;
}

// Runs one loop at a time. Threads take chunks as they come, and the loop ends once the chunks are done: a thread that wakes late, or that the
// system holds up, is not waited for.
class Pool {
 public:
  using Body = void (*)(const void* context, int64_t begin, int64_t end);

  static Pool& Shared() {
    static Pool* pool = new Pool(ThreadCount() - 1);  // never destroyed: threads may still wait on it at exit
    return *pool;
  }

  void Run(int64_t count, int64_t chunk, Body body, const void* context) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (workers_ <= 0 || count <= chunk || !turn.owns_lock()) {
      body(context, 0, count);
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      body_ = body;
      context_ = context;
      count_ = count;
      chunk_ = chunk;
      next_.store(0, std::memory_order_relaxed);
      isOpen_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    Work();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      isOpen_ = false;
    }
    // A thread that the system holds up needs this one's processor.
    for (int spin = 0; active_.load(std::memory_order_acquire) != 0; spin++) {
      if (spin < kSpins / 8) Pause();
      else std::this_thread::yield();
    }
  }

 private:
  // About 0.2 ms: loops follow one another closer than that within a step, and waking a thread takes as long as many of them.
  static constexpr int kSpins = 8000;

  explicit Pool(int workers) : workers_(workers) {
    for (int index = 0; index < workers_; index++) std::thread([this] { Loop(); }).detach();
  }

  static void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  // A thread takes half of its even share of what is left, so that parts are large at first and threads end together.
  void Work() {
    int64_t begin = next_.load(std::memory_order_relaxed);
    while (begin < count_) {
      const int64_t share = (count_ - begin) / (2 * (workers_ + 1));
      int64_t end = begin + (share > chunk_ ? share : chunk_);
      if (end > count_) end = count_;
      if (!next_.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      body_(context_, begin, end);
      begin = next_.load(std::memory_order_relaxed);
    }
  }

  void Loop() {
    uint64_t seen = 0;
    const auto isNew = [&] { return generation_.load(std::memory_order_acquire) != seen; };
    for (;;) {
      for (int spin = 0; spin < kSpins && !isNew(); spin++) Pause();
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, isNew);
        seen = generation_.load(std::memory_order_acquire);
        if (!isOpen_) continue;
        active_.fetch_add(1, std::memory_order_relaxed);
      }
      Work();
      active_.fetch_sub(1, std::memory_order_release);
    }
  }

  const int workers_;
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> active_{0};
  bool isOpen_ = false;
  Body body_ = nullptr;
  const void* context_ = nullptr;
  int64_t count_ = 0;
  int64_t chunk_ = 1;
};

// Calls body(begin, end) for parts of [0, count) whose cost is about `cost` operations an item; small loops stay on this thread.
template <typename F>
inline void ParallelFor(int64_t count, int64_t cost, const F& body) {
  constexpr int64_t kWorthwhile = 1 << 15;
  if (cost < 1) cost = 1;
  if (ThreadCount() == 1 || count * cost < 2 * kWorthwhile) return body(int64_t{0}, count);
  Pool::Shared().Run(count, (kWorthwhile + cost - 1) / cost, [](const void* context, int64_t begin, int64_t end) { (*static_cast<const F*>(context))(begin, end); }, &body);
}

// Memory of this thread for `count` floats, on a cache line's edge; what it held before is lost. `use` tells apart what is needed at a time.
template <int use = 0>
inline float* Scratch(int64_t count) {
  static thread_local std::vector<float> memory;
  constexpr int64_t kLine = 16;
  if (static_cast<int64_t>(memory.size()) < count + kLine) memory = std::vector<float>(count + kLine);
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64 / 4;
}

// Sums over rows, made in parallel. Stretches of rows are fixed and added in order, so that the result depends on no thread's pace.
class RowSums {
 public:
  RowSums(int64_t rows, int64_t width) : rows_(rows), width_(width), parts_(Stretches() * width, 0.0f) {}

  // Calls body(sums, begin, end) for stretches of rows; `sums` [width] starts at 0.
  template <typename F>
  void Over(int64_t cost, const F& body) {
    ParallelFor(Stretches(), kRows * cost, [&](int64_t begin, int64_t end) {
      for (int64_t stretch = begin; stretch < end; stretch++) {
        const int64_t last = (stretch + 1) * kRows;
        body(parts_.data() + stretch * width_, stretch * kRows, last < rows_ ? last : rows_);
      }
    });
  }

  void Give(int64_t from, int64_t count, float* out) const {
    for (int64_t at = 0; at < count; at++) out[at] = 0;
    for (int64_t stretch = 0; stretch < Stretches(); stretch++) {
      const float* part = parts_.data() + stretch * width_ + from;
      for (int64_t at = 0; at < count; at++) out[at] += part[at];
    }
  }

 private:
  static constexpr int64_t kRows = 32;
  int64_t Stretches() const { return (rows_ + kRows - 1) / kRows; }

  const int64_t rows_;
  const int64_t width_;
  std::vector<float> parts_;
};

}  // namespace thaw
