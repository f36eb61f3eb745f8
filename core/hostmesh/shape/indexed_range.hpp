// IndexedRange: a loop over at(0), at(1), ... at(count - 1), each made when it is reached.
//
// The standard views would do, but the clang that lints and fuzzes this code cannot read those of g++ 12.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>

namespace hostmesh {

// What `At` refers to, and the range itself, must outlive the iterators.
template <class At>
class IndexedRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using reference = std::invoke_result_t<const At&, std::uint64_t>;
    using value_type = std::remove_cvref_t<reference>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;

    Iterator() = default;
    reference operator*() const { return (*at_)(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    friend class IndexedRange;
    Iterator(const At* at, std::uint64_t index) : at_(at), index_(index) {}
    const At* at_ = nullptr;
    std::uint64_t index_ = 0;
  };

  IndexedRange(std::uint64_t count, At at) : count_(count), at_(std::move(at)) {}
  Iterator begin() const { return Iterator(&at_, 0); }
  Iterator end() const { return Iterator(&at_, count_); }
  std::uint64_t size() const { return count_; }

 private:
  std::uint64_t count_;
  At at_;
};

}  // namespace hostmesh
