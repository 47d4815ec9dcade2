// Runs tasks on several threads and hands their results back in the order of submission, with bounded memory.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace rehearse::effects {

/// `work` runs on any thread, `deliver` only on the thread that calls submit and finish. A batch is a unit of
/// work: at most kInFlight of them exist at once; submit delivers finished ones while it waits.
template <class Task, class Output>
class OrderedPool {
 public:
  using Batch = std::vector<Task>;
  using Results = std::vector<Output>;

  OrderedPool(unsigned threads, std::function<void(Task&, Results&)> work,
              std::function<bool(Results&)> deliver)
      : work_(std::move(work)), deliver_(std::move(deliver)), threads_(threads) {}
  OrderedPool(const OrderedPool&) = delete;
  OrderedPool& operator=(const OrderedPool&) = delete;
  ~OrderedPool() { stop(); }

  /// False once `deliver` has refused a result.
  bool submit(Task task) {
    open_.push_back(std::move(task));
    return open_.size() < kBatch || push();
  }

  bool finish() {
    const bool pushed = open_.empty() || push();
    while (pushed && !queue_.empty()) {
      if (!deliver_first()) break;
    }
    stop();
    return !refused_;
  }

 private:
  static constexpr std::size_t kBatch = 128;
  static constexpr std::size_t kInFlight = 24;

  struct Job {
    Batch tasks;
    Results results;
    bool taken = false;
    bool done = false;
  };

  bool push() {
    // Small change sets stay on the calling thread: starting threads costs more than they save.
    if (workers_.empty() && ++batches_ > 1 && threads_ > 1) start();
    auto job = std::make_shared<Job>();
    job->tasks = std::exchange(open_, {});
    if (workers_.empty()) {
      run(*job);
      return accept(job->results);
    }
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    while (queue_.size() >= kInFlight) {
      if (!deliver_first()) return false;
    }
    return true;
  }

  void run(Job& job) {
    for (Task& task : job.tasks) work_(task, job.results);
    job.tasks.clear();
  }

  bool accept(Results& results) {
    if (!refused_ && !deliver_(results)) refused_ = true;
    return !refused_;
  }

  bool deliver_first() {
    std::shared_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      job = queue_.front();
      // Rather than wait for the first to be done, do what nobody has begun.
      while (!job->done) {
        const std::shared_ptr<Job> next = first_untaken();
        if (!next) {
          done_.wait(lock, [&] { return job->done; });
          break;
        }
        next->taken = true;
        lock.unlock();
        run(*next);
        lock.lock();
        next->done = true;
      }
      queue_.pop_front();
    }
    return accept(job->results);
  }

  /// With the mutex held.
  std::shared_ptr<Job> first_untaken() const {
    for (const auto& job : queue_) {
      if (!job->taken) return job;
    }
    return nullptr;
  }

  void start() {
    for (unsigned i = 1; i < threads_; ++i) {
      workers_.emplace_back([this] {
        std::unique_lock lock(mutex_);
        while (true) {
          std::shared_ptr<Job> job;
          wake_.wait(lock, [&] {
            job = first_untaken();
            return job || stopping_;
          });
          if (!job) return;
          job->taken = true;
          lock.unlock();
          run(*job);
          lock.lock();
          job->done = true;
          done_.notify_all();
        }
      });
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const auto& job : queue_) job->taken = true;  // nobody wants them any more
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::function<void(Task&, Results&)> work_;
  std::function<bool(Results&)> deliver_;
  unsigned threads_;
  std::size_t batches_ = 0;
  Batch open_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::vector<std::thread> workers_;
  bool stopping_ = false;
  bool refused_ = false;
};

}  // namespace rehearse::effects
