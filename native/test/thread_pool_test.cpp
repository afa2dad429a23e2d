// The thread pool: every call exactly once, whatever the numbers of tasks, threads and callers.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "../thread_pool.h"
#include "support.h"

namespace lo::test {

namespace {

// Counts how often each index was called.
struct Tally {
  explicit Tally(std::size_t n) : counts(n) {}
  static void body(void* context, std::size_t i) {
    static_cast<Tally*>(context)->counts[i].fetch_add(1, std::memory_order_relaxed);
  }
  bool eachOnce() const {
    for (const auto& count : counts) {
      if (count.load() != 1) return false;
    }
    return true;
  }
  std::vector<std::atomic<int>> counts;
};

bool runOnce(ThreadPool& pool, std::size_t tasks, unsigned threads) {
  Tally tally(tasks);
  pool.run(tasks, threads, &Tally::body, &tally);
  return tally.eachOnce();
}

}  // namespace

TEST("every task is called exactly once, for any number of tasks and threads") {
  ThreadPool pool;
  for (const unsigned threads : {0u, 1u, 2u, 3u, 8u, 16u}) {
    for (const std::size_t tasks : {0u, 1u, 2u, 7u, 8u, 100u, 5000u}) {
      CHECK_WITH(runOnce(pool, tasks, threads), text(threads) + " threads and " + text(tasks) + " tasks");
    }
  }
}

TEST("results written by other threads are visible when run returns") {
  // Plain memory, so that ThreadSanitizer sees a missing synchronisation.
  ThreadPool pool;
  std::vector<std::size_t> results(64);
  std::size_t wrong = 0;
  for (std::size_t round = 0; round < (kQuick ? 300u : 3000u); ++round) {
    struct Job {
      std::vector<std::size_t>* results;
      std::size_t round;
    } job{&results, round};
    pool.run(results.size(), 4, [](void* context, std::size_t i) {
      const Job& j = *static_cast<Job*>(context);
      (*j.results)[i] = i * 31 + j.round;
    }, &job);
    for (std::size_t i = 0; i < results.size(); ++i) wrong += results[i] != i * 31 + round;
  }
  CHECK_EQUAL(wrong, std::size_t{0});
}

TEST("many small jobs after each other all complete") {
  ThreadPool pool;
  std::size_t complete = 0;
  const std::size_t jobs = kQuick ? 2000 : 20000;
  for (std::size_t i = 0; i < jobs; ++i) complete += runOnce(pool, 2 + i % 5, 2 + i % 3);
  CHECK_EQUAL(complete, jobs);
}

TEST("jobs with pauses between them, longer than the workers spin, all complete") {
  ThreadPool pool;
  for (int i = 0; i < 20; ++i) {
    CHECK(runOnce(pool, 16, 4));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST("one pool used by several threads at once completes all of their jobs") {
  const std::shared_ptr<ThreadPool> pool = ThreadPool::shared();
  const std::size_t jobs = kQuick ? 200 : 2000;
  std::atomic<std::size_t> complete{0};
  std::vector<std::thread> callers;
  for (unsigned c = 0; c < 6; ++c) {
    callers.emplace_back([&, c] {
      for (std::size_t i = 0; i < jobs; ++i) complete += runOnce(*pool, 1 + (i + c) % 40, 1 + c % 4);
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK_EQUAL(complete.load(), 6 * jobs);
}

TEST("pools are made, used and destroyed side by side") {
  const int rounds = kQuick ? 20 : 100;
  std::atomic<int> complete{0};
  std::vector<std::thread> owners;
  for (int o = 0; o < 4; ++o) {
    owners.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        ThreadPool pool;
        complete += runOnce(pool, 50, 3);
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  CHECK_EQUAL(complete.load(), 4 * rounds);
}

TEST("a pool that was never used, or used by one thread only, is destroyed without waiting") {
  { ThreadPool unused; }
  ThreadPool serial;
  CHECK(runOnce(serial, 10, 1));
}

TEST("the shared pool is one object while somebody holds it") {
  const std::shared_ptr<ThreadPool> first = ThreadPool::shared();
  CHECK(ThreadPool::shared() == first);
  CHECK(ThreadPool::usableThreads() >= 1);
}

TEST("no more threads than asked for work on a run at once") {
  ThreadPool pool;
  struct Watch {
    std::atomic<int> inside{0}, most{0};
  };
  // A wide run first, so that the pool has more workers than the later runs may use.
  CHECK(runOnce(pool, 64, 8));
  for (const unsigned threads : {1u, 2u, 3u}) {
    Watch watch;
    pool.run(60, threads, [](void* context, std::size_t) {
      Watch& w = *static_cast<Watch*>(context);
      const int now = ++w.inside;
      int seen = w.most.load();
      while (now > seen && !w.most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      --w.inside;
    }, &watch);
    CHECK_AT_MOST(watch.most.load(), static_cast<int>(threads), "threads inside a run");
  }
}

TEST("optimizers stepped from several threads at once give the bits of one stepped alone") {
  const std::vector<std::size_t> lengths = {3000, 5000, 17};
  const CellWeights weights = randomWeights(makeConfig(10, 4, kPaperInputs), 71);
  const Kernels<float>* kernels = testedKernels().front();
  const auto train = [&](Run<float>& run) {
    Random random(71);
    for (int step = 0; step < (kQuick ? 3 : 20); ++step) {
      run.step({randomGradient(3000, random), randomGradient(5000, random), randomGradient(17, random)});
    }
  };
  Run<float> alone(weights, kernels, 1, lengths);
  train(alone);
  std::vector<std::unique_ptr<Run<float>>> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(std::make_unique<Run<float>>(weights, kernels, 3, lengths));
  std::vector<std::thread> callers;
  for (auto& run : runs) callers.emplace_back([&train, &run] { train(*run); });
  for (std::thread& caller : callers) caller.join();
  for (const auto& run : runs) {
    for (std::size_t t = 0; t < lengths.size(); ++t) {
      CHECK_SAME_BITS(run->parameters[t], alone.parameters[t]);
      CHECK_SAME_STATE(run->state(t), alone.state(t));
    }
  }
}

}  // namespace lo::test
