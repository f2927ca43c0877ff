//! The control thread's end of a media thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use rtrb::{Consumer, Producer};

use super::io::EventFd;
use super::realtime::Class;
use super::thread::{self, Counters, MediaThread, Order, Tapped, Told};
use super::{MediaPlaneError, spawn, system};

/// Orders that fit into a media thread's ring.
const ORDERS_MAX: usize = 4_096;

/// Events and garbage that fit into the ring back.
const TOLD_MAX: usize = 4_096;

/// Recorded frames that fit into the ring of each thread to the writer: 1.6 s of a hundred recordings.
const TAPS_MAX: usize = 8_192;

/// A media thread, as the control thread sees it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) class: Class,
    orders: Producer<Order>,
    wake: Arc<EventFd>,
    pub(super) told: Consumer<Told>,
    pub(super) counters: Arc<Counters>,
    pub(super) thread: Option<JoinHandle<()>>,
    /// Orders that found the ring full.
    pub(super) waiting: VecDeque<Order>,
    /// Legs given to it.
    pub(super) legs: usize,
    /// It gets no new legs and ends when it has none.
    pub(super) retiring: bool,
    asked_to_stop: bool,
    /// Its last word has come.
    pub(super) stopped: bool,
}

/// What all media threads are told at their start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    /// See [`super::MediaPlaneConfig::gather_max`].
    pub(super) gather_ns: u64,
    /// See [`super::MediaPlaneConfig::eased_from_permille`].
    pub(super) eased_from_permille: u64,
}

/// A ring that has been gone around once: its memory is there before anybody is in a hurry, and is the box's own rather
/// than that of the calls that come first.
fn ring<T>(size: usize, nothing: impl Fn() -> T) -> (Producer<T>, Consumer<T>) {
    let (mut producer, mut consumer) = rtrb::RingBuffer::new(size);
    for _ in 0..size {
        let is_there = producer.push(nothing()).is_ok() && consumer.pop().is_ok();
        debug_assert!(is_there, "an empty ring has room for one");
    }
    (producer, consumer)
}

impl Line {
    /// Starts a media thread. Beside the line: where its recorded frames come out.
    pub(super) fn start(
        class: Class,
        n: usize,
        settings: Settings,
        control: &Arc<EventFd>,
        counters: Arc<Counters>,
    ) -> Result<(Line, Consumer<Tapped>), MediaPlaneError> {
        let (orders, orders_end) = ring(ORDERS_MAX, || Order::Stop);
        let (told_end, told) = ring(TOLD_MAX, || Told::Stopped);
        let (taps, taps_end) = rtrb::RingBuffer::new(TAPS_MAX);
        let wake = Arc::new(system("make an eventfd", EventFd::new())?);
        let thread = MediaThread {
            class,
            settings: Settings { seed: settings.seed.wrapping_add(n as u64), ..settings },
            epoll: system("watch sockets", thread::epoll_for(&wake))?,
            orders: orders_end,
            wake: wake.clone(),
            told: told_end,
            control: control.clone(),
            taps,
            counters: counters.clone(),
        };
        let name = match class {
            Class::Relay => format!("media-{n}"),
            Class::Work => format!("media-work-{n}"),
        };
        let line = Line {
            class,
            orders,
            wake,
            told,
            counters,
            thread: Some(spawn(name, move || thread.run())?),
            waiting: VecDeque::new(),
            legs: 0,
            retiring: false,
            asked_to_stop: false,
            stopped: false,
        };
        Ok((line, taps_end))
    }

    /// Whether it may get new legs.
    pub(super) fn serves(&self) -> bool {
        !self.retiring && !self.stopped
    }

    /// Whether it was to end and can go on instead.
    pub(super) fn may_return(&self) -> bool {
        self.retiring && !self.asked_to_stop
    }

    /// Whether its thread has ended and its place can be taken.
    pub(super) fn is_gone(&self) -> bool {
        self.retiring && self.stopped
    }

    pub(super) fn order(&mut self, order: Order) {
        self.waiting.push_back(order);
        self.push();
    }

    /// Hands over what waits, as far as there is room.
    pub(super) fn push(&mut self) {
        while let Some(order) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(order)) = self.orders.push(order) {
                self.waiting.push_front(order);
                break;
            }
        }
        self.wake.signal();
    }

    /// Ends a thread that is to end and has no legs.
    pub(super) fn end_if_unused(&mut self) {
        if self.retiring && self.legs == 0 && !self.asked_to_stop {
            self.asked_to_stop = true;
            self.order(Order::Stop);
        }
        if self.is_gone()
            && let Some(thread) = self.thread.take()
        {
            // It has said its last word and is about to return.
            let _ = thread.join();
        }
    }
}
