// Memory for state: 64-byte aligned, huge pages advised for large blocks, counted.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(_WIN32)
#include <malloc.h>
#endif

namespace lo {

template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc. The contents are not initialised.
  explicit AlignedBuffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    constexpr std::size_t alignment = 64;
    constexpr std::size_t hugePage = std::size_t{1} << 21;
    if (size > (static_cast<std::size_t>(-1) - hugePage) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = size * sizeof(T);
    const bool large = bytes >= 2 * hugePage;
    const std::size_t unit = large ? hugePage : alignment;
    const std::size_t rounded = (bytes + unit - 1) / unit * unit;
#if defined(_WIN32)
    data_ = static_cast<T*>(_aligned_malloc(rounded, alignment));
#else
    void* p = nullptr;
    data_ = posix_memalign(&p, unit, rounded) == 0 ? static_cast<T*>(p) : nullptr;
#endif
    if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // Only advice: a kernel without transparent huge pages says no, and nothing changes.
    if (large) (void)madvise(data_, rounded, MADV_HUGEPAGE);
#endif
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() {
#if defined(_WIN32)
    _aligned_free(data_);
#else
    std::free(data_);
#endif
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return size_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lo
