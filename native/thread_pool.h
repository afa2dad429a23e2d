// One persistent pool of threads per process, shared by all optimizers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace lo {

class ThreadPool {
 public:
  using Body = void (*)(void* context, std::size_t index);

  // The pool of the process. It lives as long as somebody holds it.
  static std::shared_ptr<ThreadPool> shared();
  // Threads that this process may run at once (CPU affinity and, on Linux, the cgroup quota considered), at least 1.
  static unsigned usableThreads();

  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls body(context, i) once for every i < tasks, on at most `threads` threads, the calling one included, and
  // returns when all calls have returned. When another thread is using the pool, all calls are made on this one.
  // `body` must not throw and must not call `run`.
  void run(std::size_t tasks, unsigned threads, Body body, void* context);

 private:
  void workerLoop();
  void takeTasks();

  std::mutex owner_;  // held by the thread whose tasks are running
  std::mutex mutex_;  // guards everything below but the atomics
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<std::thread> workers_;
  Body body_ = nullptr;
  void* context_ = nullptr;
  std::size_t tasks_ = 0;
  unsigned openings_ = 0;  // workers that may still join the current run
  unsigned active_ = 0;    // workers inside takeTasks
  bool stop_ = false;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> runs_{0};  // number of runs started; what spinning workers watch
};

}  // namespace lo
