#include "thread_pool.h"

#include <algorithm>
#include <cstdio>
#include <system_error>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace lo {

namespace {

void pauseCpu() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
  asm volatile("yield");
#endif
}

#if defined(__linux__)
// CPUs granted by the cgroup (version 2, then 1), rounded up; 0 when there is no quota.
unsigned cgroupQuota() {
  long long quota = -1, period = 0;
  if (std::FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(f, "%lld %lld", &quota, &period) != 2) quota = -1;
    std::fclose(f);
  } else {
    if (std::FILE* q = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
      if (std::fscanf(q, "%lld", &quota) != 1) quota = -1;
      std::fclose(q);
    }
    if (std::FILE* p = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r")) {
      if (std::fscanf(p, "%lld", &period) != 1) period = 0;
      std::fclose(p);
    }
  }
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<unsigned>(std::max<long long>(1, (quota + period - 1) / period));
}
#endif

// Long enough to bridge the gap between the two passes of a step, too short to be seen by anybody else.
constexpr int kSpins = 2000;

}  // namespace

unsigned ThreadPool::usableThreads() {
  unsigned n = std::thread::hardware_concurrency();
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = static_cast<unsigned>(CPU_COUNT(&set));
  if (const unsigned quota = cgroupQuota()) n = std::min(n, quota);
#endif
  return std::max(1u, n);
}

std::shared_ptr<ThreadPool> ThreadPool::shared() {
  static std::mutex mutex;
  static std::weak_ptr<ThreadPool> current;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ThreadPool> pool = current.lock();
  if (!pool) current = pool = std::make_shared<ThreadPool>();
  return pool;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    runs_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t tasks, unsigned threads, Body body, void* context) {
  std::unique_lock<std::mutex> owner(owner_, std::defer_lock);
  if (threads > 1 && tasks > 1 && owner.try_lock()) {
    const unsigned helpers = static_cast<unsigned>(std::min<std::size_t>(threads, tasks)) - 1;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      try {
        while (workers_.size() < helpers) workers_.emplace_back([this] { workerLoop(); });
      } catch (const std::system_error&) {
        // The system grants no more threads: go on with those there are.
      }
      body_ = body;
      context_ = context;
      tasks_ = tasks;
      openings_ = helpers;
      next_.store(0, std::memory_order_relaxed);
      runs_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    takeTasks();
    std::unique_lock<std::mutex> lock(mutex_);
    openings_ = 0;
    idle_.wait(lock, [this] { return active_ == 0; });
    return;
  }
  for (std::size_t i = 0; i < tasks; ++i) body(context, i);
}

void ThreadPool::takeTasks() {
  for (;;) {
    const std::size_t i = next_.fetch_add(1, std::memory_order_relaxed);
    if (i >= tasks_) return;
    body_(context_, i);
  }
}

void ThreadPool::workerLoop() {
  std::uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || (openings_ > 0 && runs_.load(std::memory_order_relaxed) != seen); });
    if (stop_) return;
    seen = runs_.load(std::memory_order_relaxed);
    --openings_;
    ++active_;
    lock.unlock();
    takeTasks();
    lock.lock();
    if (--active_ == 0) idle_.notify_one();
    lock.unlock();
    for (int i = 0; i < kSpins && runs_.load(std::memory_order_acquire) == seen; ++i) pauseCpu();
    lock.lock();
  }
}

}  // namespace lo
