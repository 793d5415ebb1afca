//! A first-in-first-out queue in integers, so that no rounding ever loses a task.

/// Work of one task, in millionths of a task.
const TASK: u64 = 1_000_000;

/// A queue of tasks of equal work; the first is in service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FifoQueue {
    capacity: u32,
    /// Millionths of a task served a slot.
    service: u64,
    length: u32,
    /// Work that is left of the first task.
    head: u64,
    counts: QueueCounts,
}

/// What a queue has come to: `joined = served + length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Tasks that joined.
    pub joined: u64,
    /// Tasks that found the queue full.
    pub turned_away: u64,
    /// Tasks that were served to the end.
    pub served: u64,
    /// Slots in which there was something to serve.
    pub busy_slots: u64,
}

impl FifoQueue {
    /// An empty queue for `capacity` tasks that serves `service_micro` millionths of a task a slot.
    pub fn new(capacity: u32, service_micro: u64) -> FifoQueue {
        let counts = QueueCounts::default();
        FifoQueue { capacity, service: service_micro, length: 0, head: 0, counts }
    }

    /// How many tasks it holds.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Number of tasks, the one in service included.
    #[inline]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Length as a share of the capacity.
    #[inline]
    pub fn fullness(&self) -> f64 {
        f64::from(self.length.min(self.capacity)) / f64::from(self.capacity)
    }

    /// Whether the same work waits in both, so that the same will happen to both from here on.
    #[inline]
    pub fn same_work(&self, other: &FifoQueue) -> bool {
        self.length == other.length && self.head == other.head
    }

    /// What became of the tasks so far.
    pub fn counts(&self) -> QueueCounts {
        self.counts
    }

    /// Adds a task at the end; `false` if the queue is full.
    #[inline]
    pub fn join(&mut self) -> bool {
        if self.length >= self.capacity {
            self.counts.turned_away += 1;
            return false;
        }
        if self.length == 0 {
            self.head = TASK;
        }
        self.length += 1;
        self.counts.joined += 1;
        true
    }

    /// In how many slots, this one included, all that is queued now will be served: what the task
    /// that joined last has before it.
    pub fn slots_to_serve(&self) -> u64 {
        let behind = u64::from(self.length.saturating_sub(1)) * TASK;
        (self.head + behind).div_ceil(self.service)
    }

    /// Serves for one slot. Service that finds no work is lost, not saved up.
    #[inline]
    pub fn serve(&mut self) {
        let mut service = self.service;
        self.counts.busy_slots += u64::from(self.length > 0);
        while self.length > 0 && service > 0 {
            let work = service.min(self.head);
            self.head -= work;
            service -= work;
            if self.head == 0 {
                self.length -= 1;
                self.counts.served += 1;
                self.head = if self.length > 0 { TASK } else { 0 };
            }
        }
    }
}
