#include "tensor_storage.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "kernels.h"

namespace lo {

namespace {

std::size_t blocksFor(std::size_t length) { return (length + kBlock - 1) / kBlock; }

}  // namespace

template <class T>
TensorStorage<T>::TensorStorage(std::size_t length, const Config& config, const StateFormat& format)
    : length_(length),
      hidden_(static_cast<std::size_t>(config.hidden)),
      timescales_(static_cast<std::size_t>(config.timescales)),
      fields_(static_cast<std::size_t>(config.fields())),
      compactBlock_(compactBlockSize(config)),
      format_(format) {
  const std::size_t perBlock = kBlock * fields_;
  if (length > std::numeric_limits<std::size_t>::max() / sizeof(T) / perBlock - 1) throw std::bad_alloc();
  if (format.compact) {
    compact_ = AlignedBuffer<std::uint16_t>(blocksFor(length) * compactBlock_);
  } else {
    blocks_ = AlignedBuffer<T>(blocksFor(length) * perBlock);
  }
}

template <class T>
T* TensorStorage<T>::blocksFrom(std::size_t begin) {
  return format_.compact ? nullptr : blocks_.data() + begin * fields_;
}

template <class T>
CompactBlocks TensorStorage<T>::compactFrom(std::size_t begin, std::uint32_t seed) {
  if (!format_.compact) return {};
  std::uint16_t* const blocks = compact_.data() + begin / kBlock * compactBlock_;
  return {blocks, format_.hiddenRange, static_cast<std::uint32_t>(begin), seed};
}

template <class T>
T TensorStorage<T>::logRate(std::size_t i) const {
  const std::size_t lane = i % kBlock;
  if (!format_.compact) return blocks_.data()[(i / kBlock * fields_ + fields_ - 1) * kBlock + lane];
  float value;
  std::memcpy(&value, compact_.data() + i / kBlock * compactBlock_ + (fields_ - 1) * kBlock + 2 * lane, sizeof value);
  return static_cast<T>(value);
}

template <class T>
void TensorStorage<T>::setLogRate(std::size_t i, T value) {
  const std::size_t lane = i % kBlock;
  if (!format_.compact) {
    blocks_.data()[(i / kBlock * fields_ + fields_ - 1) * kBlock + lane] = value;
    return;
  }
  const float single = static_cast<float>(value);
  std::memcpy(compact_.data() + i / kBlock * compactBlock_ + (fields_ - 1) * kBlock + 2 * lane, &single, sizeof single);
}

template <class T>
void TensorStorage<T>::fill(const std::vector<T>& initialHidden, const T* logRates, T logRate) {
  // The last block is filled to its end: the kernels advance all of it.
  for (std::size_t i = 0; i < blocksFor(length_) * kBlock; ++i) {
    const std::size_t block = i / kBlock, lane = i % kBlock;
    for (std::size_t f = 0; f + 1 < fields_; ++f) {
      const T value = f < hidden_ ? initialHidden[f] : T(0);
      if (format_.compact) {
        compact_.data()[block * compactBlock_ + f * kBlock + compactSlot(lane)] =
            f < hidden_ ? toFixed(static_cast<float>(value), format_.hiddenRange) : toBfloat16(0.0f);
      } else {
        blocks_.data()[(block * fields_ + f) * kBlock + lane] = value;
      }
    }
    setLogRate(i, i >= length_ ? T(0) : logRates != nullptr ? logRates[i] : logRate);
  }
}

template <class T>
void TensorStorage<T>::read(const TensorStateView<T>& out) const {
  const std::size_t H = hidden_, S = timescales_;
  for (std::size_t i = 0; i < length_; ++i) {
    const std::size_t block = i / kBlock, lane = i % kBlock;
    if (format_.compact) {
      const std::uint16_t* p = compact_.data() + block * compactBlock_ + compactSlot(lane);
      for (std::size_t j = 0; j < H; ++j, p += kBlock) {
        out.hidden[i * H + j] = static_cast<T>(fromFixed(*p, format_.hiddenRange));
      }
      for (std::size_t s = 0; s < S; ++s, p += kBlock) out.momentum[i * S + s] = static_cast<T>(fromBfloat16(*p));
      for (std::size_t s = 0; s < S; ++s, p += kBlock) out.scale[i * S + s] = static_cast<T>(fromBfloat16(*p));
    } else {
      const T* p = blocks_.data() + block * fields_ * kBlock + lane;
      for (std::size_t j = 0; j < H; ++j, p += kBlock) out.hidden[i * H + j] = *p;
      for (std::size_t s = 0; s < S; ++s, p += kBlock) out.momentum[i * S + s] = *p;
      for (std::size_t s = 0; s < S; ++s, p += kBlock) out.scale[i * S + s] = *p;
    }
    out.logRate[i] = logRate(i);
  }
}

template <class T>
void TensorStorage<T>::write(const TensorStateView<const T>& in) {
  const std::size_t H = hidden_, S = timescales_;
  for (std::size_t i = 0; i < length_; ++i) {
    const std::size_t block = i / kBlock, lane = i % kBlock;
    if (format_.compact) {
      std::uint16_t* p = compact_.data() + block * compactBlock_ + compactSlot(lane);
      for (std::size_t j = 0; j < H; ++j, p += kBlock) {
        *p = toFixed(static_cast<float>(in.hidden[i * H + j]), format_.hiddenRange);
      }
      for (std::size_t s = 0; s < S; ++s, p += kBlock) *p = toBfloat16(static_cast<float>(in.momentum[i * S + s]));
      for (std::size_t s = 0; s < S; ++s, p += kBlock) {
        *p = toScaleBfloat16(static_cast<float>(in.scale[i * S + s]));
      }
    } else {
      T* p = blocks_.data() + block * fields_ * kBlock + lane;
      for (std::size_t j = 0; j < H; ++j, p += kBlock) *p = in.hidden[i * H + j];
      for (std::size_t s = 0; s < S; ++s, p += kBlock) *p = in.momentum[i * S + s];
      for (std::size_t s = 0; s < S; ++s, p += kBlock) *p = in.scale[i * S + s];
    }
    setLogRate(i, in.logRate[i]);
  }
}

template <class T>
double TensorStorage<T>::logRateSum() const {
  constexpr std::size_t lanes = sizeof(T) == sizeof(float) ? kBlock : 1;
  double total = 0;
  for (std::size_t begin = 0; begin < length_; begin += kChunk) {
    T sum[lanes] = {};
    for (std::size_t i = begin; i < std::min(length_, begin + kChunk); ++i) sum[i % lanes] += logRate(i);
    double chunk = 0;
    for (T lane : sum) chunk += static_cast<double>(lane);
    total += chunk;
  }
  return total;
}

template class TensorStorage<float>;
template class TensorStorage<double>;

}  // namespace lo
