#include "gate/timer_queue.h"

namespace rehearse::gate {

Timer::~Timer() {
  if (queue_ != nullptr) queue_->cancel(*this);
}

void TimerQueue::put(std::size_t place, Timer* timer) {
  heap_[place] = timer;
  timer->place_ = place;
}

void TimerQueue::rise(std::size_t place) {
  Timer* const timer = heap_[place];
  while (place > 0) {
    const std::size_t above = (place - 1) / 2;
    if (heap_[above]->at_ <= timer->at_) break;
    put(place, heap_[above]);
    place = above;
  }
  put(place, timer);
}

void TimerQueue::sink(std::size_t place) {
  Timer* const timer = heap_[place];
  while (true) {
    std::size_t below = 2 * place + 1;
    if (below >= heap_.size()) break;
    if (below + 1 < heap_.size() && heap_[below + 1]->at_ < heap_[below]->at_) ++below;
    if (heap_[below]->at_ >= timer->at_) break;
    put(place, heap_[below]);
    place = below;
  }
  put(place, timer);
}

void TimerQueue::set(Timer& timer, std::int64_t at_ns) {
  if (timer.queue_ == nullptr) {
    timer.queue_ = this;
    timer.place_ = heap_.size();
    heap_.push_back(&timer);
  }
  timer.at_ = at_ns;
  rise(timer.place_);
  sink(timer.place_);
}

void TimerQueue::cancel(Timer& timer) {
  if (timer.queue_ == nullptr) return;
  const std::size_t place = timer.place_;
  timer.queue_ = nullptr;
  Timer* const last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  put(place, last);
  rise(place);
  sink(last->place_);
}

void TimerQueue::run(std::int64_t now_ns) {
  while (!heap_.empty() && heap_.front()->at_ <= now_ns) {
    Timer& timer = *heap_.front();
    cancel(timer);
    timer.on_time();
  }
}

}  // namespace rehearse::gate
