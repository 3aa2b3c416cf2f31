// Asynchronous copies and other asynchronous effects, which land (take effect) later than the instruction that starts
// them.
#pragma once
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <deque>
#include <string>

#include "fail.h"

namespace {

/// When asynchronous effects land. On a device, they may land at any time from the instruction that starts them to the
/// instruction that waits for them, so the results of a correct kernel are the same in all modes.
enum class Landing : int {
  /// As late as possible: when a thread waits for them. A kernel that does not wait gets wrong results.
  late,
  /// As soon as an instruction starts them. A kernel gets wrong results if it starts a copy to memory that other
  /// threads still read, or from memory that other threads have not written yet.
  at_once,
  /// Effects that write shared memory land at once; effects that read it (TMA stores, wgmma) land late. A kernel gets
  /// wrong results if it starts a copy to memory that an asynchronous instruction still reads.
  reads_late,
};

std::atomic<Landing> landing = [] {
  const char *variable = getenv("STAND_IN_COPIES");
  std::string setting = variable != nullptr ? variable : "";
  return setting == "at-once" ? Landing::at_once : setting == "reads-late" ? Landing::reads_late : Landing::late;
}();

/// The asynchronous effects of one kind that a thread has started, in commit groups. `Effect::reads` says whether they
/// read shared memory.
template <typename Effect> class Groups {
  std::deque<Effect> effects;
  /// The number of effects in each closed group. `closed` is their sum.
  std::deque<size_t> counts;
  size_t closed = 0;

public:
  void start(const Effect &effect) {
    if (landing == Landing::at_once || (landing == Landing::reads_late && !Effect::reads)) {
      effect.land();
    } else {
      effects.push_back(effect);
    }
  }

  void commit() {
    counts.push_back(effects.size() - closed);
    closed = effects.size();
  }

  /// Lands all closed groups but the last `pending`.
  void wait(size_t pending) {
    for (; counts.size() > pending; counts.pop_front()) {
      for (size_t i = 0; i < counts.front(); i += 1) {
        effects.front().land();
        effects.pop_front();
      }
      closed -= counts.front();
    }
  }

  size_t pending() const { return effects.size(); }

  void clear() {
    effects.clear();
    counts.clear();
    closed = 0;
  }
};

/// A cp.async copy, which writes 16 bytes to shared memory: the first `bytes` bytes of `from`, then zeros.
struct Copy {
  static constexpr bool reads = false;
  void *to;
  const void *from;
  int bytes;

  void land() const {
    memset(to, 0, 16);
    memcpy(to, from, (size_t)bytes);
  }
};

} // namespace
