// Streams and events of emulation.h: queues of work, done at once or as late as possible.
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "emulation.h"

namespace lo::emulation {

// How often it was recorded, and which of these records the work has come to.
struct Event {
  std::shared_ptr<std::size_t> reached = std::make_shared<std::size_t>(0);
  std::size_t recorded = 0;
  void* stream = nullptr;
};

namespace {

// Optimizers of several threads share the queues and the fibers.
std::recursive_mutex& mutex() {
  static std::recursive_mutex one;
  return one;
}
#define LO_ALONE const std::lock_guard<std::recursive_mutex> alone(mutex())

using Queue = std::deque<std::function<void()>>;

std::map<void*, Queue>& queues() {
  static std::map<void*, Queue> all;
  return all;
}

void doNext(Queue& queue) {
  const std::function<void()> work = std::move(queue.front());
  queue.pop_front();
  work();
}

}  // namespace

void put(void* stream, std::function<void()> work) {
  LO_ALONE;
  if (lost) return;
  if (!deferred) return work();
  queues()[stream].push_back(std::move(work));
}

bool isIdle(void* stream) {
  LO_ALONE;
  return queues()[stream].empty();
}

void drain(void* stream) {
  LO_ALONE;
  Queue& queue = queues()[stream];
  while (!queue.empty()) doNext(queue);
}

void drainAll() {
  LO_ALONE;
  for (auto& [stream, queue] : queues()) drain(stream);
}

Event* createEvent() { return new Event; }
void destroyEvent(Event* event) { delete event; }

void recordEvent(Event* event, void* stream) {
  LO_ALONE;
  const std::size_t number = ++event->recorded;
  event->stream = stream;
  put(stream, [reached = event->reached, number] { *reached = number; });
}

bool isReached(const Event* event) { return *event->reached == event->recorded; }

void reach(Event* event) {
  LO_ALONE;
  Queue& queue = queues()[event->stream];
  while (!isReached(event) && !queue.empty()) doNext(queue);
}

void waitInStream(void* stream, Event* event) {
  LO_ALONE;
  // The record of now: the event may be recorded again before the stream comes here.
  put(stream, [reached = event->reached, number = event->recorded, from = event->stream] {
    Queue& queue = queues()[from];
    while (*reached < number && !queue.empty()) doNext(queue);
  });
}

void* createStream() { return std::malloc(1); }

void destroyStream(void* stream) {
  LO_ALONE;
  drain(stream);
  queues().erase(stream);
  std::free(stream);
}

void copy(void* to, const void* from, std::size_t bytes, void* stream) {
  LO_ALONE;
  ++copies;
  if (bytes != 0) put(stream, [=] { std::memcpy(to, from, bytes); });
}

}  // namespace lo::emulation
