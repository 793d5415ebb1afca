//! The queue against a plain model, task by task.

use std::collections::VecDeque;

use fogbit_node::{FifoQueue, QueueCounts};
use proptest::prelude::*;

/// The work that is left of each task, in millionths, and nothing clever.
struct Model {
    capacity: usize,
    service: u64,
    tasks: VecDeque<u64>,
    counts: QueueCounts,
}

impl Model {
    fn join(&mut self) -> bool {
        if self.tasks.len() == self.capacity {
            self.counts.turned_away += 1;
            return false;
        }
        self.tasks.push_back(1_000_000);
        self.counts.joined += 1;
        true
    }

    fn serve(&mut self) {
        let mut service = self.service;
        self.counts.busy_slots += u64::from(!self.tasks.is_empty());
        while let Some(first) = self.tasks.front_mut() {
            let work = service.min(*first);
            *first -= work;
            service -= work;
            if *first > 0 {
                break;
            }
            self.tasks.pop_front();
            self.counts.served += 1;
        }
    }
}

proptest! {
    #[test]
    fn no_task_is_lost_or_made(
        capacity in 1..9u32,
        service in prop_oneof![1..3_000_000u64, Just(1_000_000), Just(333_333), Just(1)],
        arrivals in prop::collection::vec(0..6usize, 1..300),
    ) {
        let mut queue = FifoQueue::new(capacity, service);
        let mut model = Model {
            capacity: capacity as usize,
            service,
            tasks: VecDeque::new(),
            counts: QueueCounts::default(),
        };
        for arriving in arrivals {
            for _ in 0..arriving {
                prop_assert_eq!(queue.join(), model.join());
                prop_assert!(queue.length() <= capacity);
            }
            prop_assert_eq!(queue.length() as usize, model.tasks.len());
            prop_assert_eq!(queue.fullness(), model.tasks.len() as f64 / f64::from(capacity));
            let counts = queue.counts();
            prop_assert_eq!(counts, model.counts);
            prop_assert_eq!(counts.joined, counts.served + u64::from(queue.length()));
            queue.serve();
            model.serve();
            prop_assert_eq!(queue.length() as usize, model.tasks.len());
        }
    }

    /// What a task that has just joined is told of its time in the queue is what comes true.
    #[test]
    fn the_time_in_the_queue_is_known_in_advance(
        capacity in 1..9u32,
        service in prop_oneof![10_000..3_000_000u64, Just(1_000_000), Just(333_333)],
        arrivals in prop::collection::vec(0..4usize, 1..40),
    ) {
        let mut queue = FifoQueue::new(capacity, service);
        for arriving in arrivals {
            for _ in 0..arriving {
                queue.join();
            }
            // Those that come later stand behind it: all that is there now is served by then.
            let (mut alone, told) = (queue.clone(), queue.slots_to_serve());
            for slot in 0..told {
                prop_assert!(alone.length() > 0, "empty after {} of {} slots", slot, told);
                alone.serve();
            }
            prop_assert_eq!(alone.length(), 0);
            queue.serve();
        }
    }

    /// Over a long time a busy queue serves its rate, to the last millionth.
    #[test]
    fn a_busy_queue_serves_its_rate(service in 1..5_000_000u64, slots in 1..2000u64) {
        let mut queue = FifoQueue::new(6, service);
        for _ in 0..slots {
            while queue.join() {}
            queue.serve();
        }
        prop_assert_eq!(queue.counts().served, slots * service / 1_000_000);
    }
}

#[test]
fn service_that_finds_no_work_is_not_saved_up() {
    let mut queue = FifoQueue::new(4, 700_000);
    for _ in 0..10 {
        queue.serve();
    }
    queue.join();
    queue.serve();
    assert_eq!(queue.length(), 1, "0.7 of a task is served");
    queue.join();
    queue.serve();
    assert_eq!(queue.length(), 1, "0.4 of the second is served with the rest of the first");
    queue.serve();
    assert_eq!(queue.length(), 0);
}
