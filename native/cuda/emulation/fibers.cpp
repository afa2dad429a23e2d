// The fibers of emulation.h. They begin by ucontext and then change places by jumps, since swapcontext also saves the mask of
// signals, a system call that takes longer than all else here; under the address sanitizer, which follows no such jumps, by
// swapcontext. A fiber lives on and runs one thread of one block after the other.
#undef _FORTIFY_SOURCE  // its longjmp refuses other stacks
#include "emulation.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <memory>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LO_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LO_ASAN 1
#endif
#if defined(LO_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif

namespace lo::emulation {

Index threadIndex, blockIndex, gridSize, blockSize;

namespace {

constexpr std::size_t kStack = 256 * 1024;
constexpr unsigned kMaxThreads = 1024, kWarp = 32;

enum class State { ready, atBlock, atWarp, done };

struct Fiber {
  ucontext_t context;
  jmp_buf place;
  std::unique_ptr<char[]> stack;  // null until it first runs
  void* fakeStack = nullptr;
  State state = State::done;
  std::uint32_t word = 0;  // handed over at a shuffle
};

Fiber fibers[kMaxThreads];
unsigned running = 0;
const std::function<void()>* blockBody = nullptr;
#if defined(LO_ASAN)
ucontext_t scheduler;
const void* schedulerStack = nullptr;
std::size_t schedulerStackSize = 0;
#else
jmp_buf schedulerPlace;
#endif

void toScheduler(State state) {
  Fiber& f = fibers[running];
  f.state = state;
#if defined(LO_ASAN)
  __sanitizer_start_switch_fiber(&f.fakeStack, schedulerStack, schedulerStackSize);
  swapcontext(&f.context, &scheduler);
  __sanitizer_finish_switch_fiber(f.fakeStack, &schedulerStack, &schedulerStackSize);
#else
  if (_setjmp(f.place) == 0) _longjmp(schedulerPlace, 1);
#endif
}

[[noreturn]] void entry() {
#if defined(LO_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &schedulerStack, &schedulerStackSize);
#endif
  for (;;) {
    (*blockBody)();
    toScheduler(State::done);
  }
}

void resume(unsigned i) {
  Fiber& f = fibers[i];
  running = i;
  threadIndex.x = i;
  const bool fresh = f.stack == nullptr;
  if (fresh) {
    f.stack = std::make_unique<char[]>(kStack);
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.get();
    f.context.uc_stack.ss_size = kStack;
    f.context.uc_link = nullptr;
    makecontext(&f.context, entry, 0);
  }
#if defined(LO_ASAN)
  void* fakeStack = nullptr;
  __sanitizer_start_switch_fiber(&fakeStack, f.stack.get(), kStack);
  swapcontext(&scheduler, &f.context);
  __sanitizer_finish_switch_fiber(fakeStack, nullptr, nullptr);
#else
  if (_setjmp(schedulerPlace) == 0) {
    if (fresh) setcontext(&f.context);
    _longjmp(f.place, 1);
  }
#endif
}

unsigned inOrder(unsigned i, unsigned threads) {
  if (order == Order::ascending) return i;
  if (order == Order::descending) return threads - 1 - i;
  // A permutation: 77 is odd, and the numbers of threads are powers of two.
  return (i * 77 + 13) % threads;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "emulation: block %u: %s\n", blockIndex.x, what);
  std::abort();
}

// Lets all of `first` … `end` that wait in `state` go on, if no other is still to come.
bool release(unsigned first, unsigned end, State state) {
  unsigned waiting = 0;
  for (unsigned i = first; i < end; ++i) {
    if (fibers[i].state == State::ready) return false;
    if (fibers[i].state == state) ++waiting;
  }
  if (waiting == 0) return false;
  if (waiting != end - first) {
    for (unsigned i = first; i < end; ++i) {
      if (state == State::atWarp && fibers[i].state != state) fail("a shuffle without all threads of the warp");
      if (fibers[i].state == State::done) fail("a barrier after some threads have ended");
      if (fibers[i].state != state) return false;
    }
  }
  for (unsigned i = first; i < end; ++i) fibers[i].state = State::ready;
  return true;
}

void runBlock(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) fibers[i].state = State::ready;
  for (;;) {
    unsigned done = 0;
    for (unsigned k = 0; k < threads; ++k) {
      const unsigned i = inOrder(k, threads);
      if (fibers[i].state == State::ready) resume(i);
      done += fibers[i].state == State::done;
    }
    if (done == threads) return;
    bool released = false;
    for (unsigned w = 0; w < threads; w += kWarp) released |= release(w, w + kWarp, State::atWarp);
    if (!released) released = release(0, threads, State::atBlock);
    if (!released) fail("threads wait for each other");
  }
}

}  // namespace

void launchBlocks(std::size_t grid, unsigned threads, const std::function<void()>& body) {
  ++launches;
  blockBody = &body;
  gridSize = {static_cast<unsigned>(grid), 1, 1};
  blockSize = {threads, 1, 1};
  for (std::size_t b = 0; b < grid; ++b) {
    blockIndex = {static_cast<unsigned>(b), 0, 0};
    runBlock(threads);
  }
}

void meetBlock() { toScheduler(State::atBlock); }

std::uint32_t exchange(std::uint32_t word, unsigned mask) {
  fibers[running].word = word;
  const unsigned other = running ^ mask;
  toScheduler(State::atWarp);
  const std::uint32_t received = fibers[other].word;
  // A second meeting: nobody may overwrite a word that has not been read.
  toScheduler(State::atWarp);
  return received;
}

}  // namespace lo::emulation
