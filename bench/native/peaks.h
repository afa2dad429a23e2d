// What this machine can do at most: multiply-adds in registers and bytes to and from memory, measured.
#pragma once

#include <map>
#include <string>
#include <vector>

class Peaks {
 public:
  // `isa` as the kernels name it; measures for every number of threads.
  Peaks(const std::string& isa, const std::vector<unsigned>& threadCounts);

  // Float multiply-adds per nanosecond.
  double multiplyAdds(unsigned threads) const { return multiplyAdds_.at(threads); }
  // Bytes per nanosecond, read and written by an update in place of more than the caches hold.
  double bytes(unsigned threads) const { return bytes_.at(threads); }

 private:
  std::map<unsigned, double> multiplyAdds_, bytes_;
};
