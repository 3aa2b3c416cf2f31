// The streams and events of the stand-in for the CUDA driver.
#pragma once
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

/// Whether launches run. If not, streams run copies at once, on the calling thread. Measurements without kernels are
/// about the time of the calls, and a switch of threads would take longer than a call.
inline bool runs_kernels() {
  static const char *setting = getenv("STAND_IN_LAUNCH");
  return setting == nullptr || strcmp(setting, "no") != 0;
}

/// A thread that runs tasks in the order in which they were added.
struct CUstream_st {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  /// Whether a task runs, and whether the stream ends after its last task.
  bool is_busy = false, ends = false;
  std::thread thread{[this] { run(); }};

  ~CUstream_st() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      ends = true;
    }
    changed.notify_all();
    thread.join();
  }

  void add(std::function<void()> task) {
    if (!runs_kernels()) return task();
    {
      std::lock_guard<std::mutex> lock(mutex);
      tasks.push_back(std::move(task));
    }
    changed.notify_all();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return tasks.empty() && !is_busy; });
  }

private:
  void run() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return !tasks.empty() || ends; });
      if (tasks.empty()) return;
      std::function<void()> task = std::move(tasks.front());
      tasks.pop_front();
      is_busy = true;
      lock.unlock();
      task();
      lock.lock();
      is_busy = false;
      changed.notify_all();
    }
  }
};

/// A point in the work of a stream, created by `cuEventRecord`. The stream reaches it after all tasks that were added
/// before this call.
struct Point {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_reached = false;
  double seconds = 0;

  void reach() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    std::lock_guard<std::mutex> lock(mutex);
    is_reached = true;
    seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    changed.notify_all();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return is_reached; });
  }
};
