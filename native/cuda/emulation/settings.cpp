// What the emulation pretends: set by the C++ tests as they like, and by those of Node in the environment.
#include <cstdlib>

#include "emulation.h"

namespace lo::emulation {

Order order = Order::ascending;
std::size_t memoryLeft = static_cast<std::size_t>(-1), eventsLeft = static_cast<std::size_t>(-1);
bool hasCode = true, launchesSucceed = true;
std::size_t allocations = 0, copies = 0, launches = 0;
int devices = 1, device = 0;
bool deferred = false, lost = false;

namespace {

// The number in a variable of the environment; what it was before comes back once the variable is gone.
template <class T>
void take(const char* name, T& value, T& otherwise, bool& taken) {
  const char* const text = std::getenv(name);
  if (text == nullptr && !taken) return;
  if (!taken) otherwise = value;
  taken = text != nullptr;
  value = taken ? static_cast<T>(std::strtoull(text, nullptr, 10)) : otherwise;
}

}  // namespace

void readSettings() {
  static std::size_t memoryBefore;
  static int devicesBefore;
  static bool lostBefore, tookMemory = false, tookDevices = false, tookLost = false;
  take("LO_EMULATION_MEMORY", memoryLeft, memoryBefore, tookMemory);
  take("LO_EMULATION_DEVICES", devices, devicesBefore, tookDevices);
  take("LO_EMULATION_LOST", lost, lostBefore, tookLost);
}

}  // namespace lo::emulation
