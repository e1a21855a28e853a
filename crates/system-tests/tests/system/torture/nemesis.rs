//! Whoever kills, stops and cuts off: one thread for each process and server, two for the network,
//! each with random choices of its own.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use test_support::proxy::{Direction, Fault};
use test_support::server::Server;

use super::journal::Journal;
use super::world::World;

/// How many threads spoil the network.
const SPOILERS: usize = 2;

/// How often each thing was done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: AtomicU64,
    pub(super) terminations: AtomicU64,
    pub(super) stops: AtomicU64,
    pub(super) cuts: AtomicU64,
    pub(super) stalls: AtomicU64,
    pub(super) losses: AtomicU64,
    pub(super) delays: AtomicU64,
}

impl Tally {
    fn count(&self, what: &AtomicU64) {
        what.fetch_add(1, Ordering::Relaxed);
    }
}

/// All of them.
pub(super) struct Nemesis {
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
    journal: Arc<Journal>,
}

impl Nemesis {
    pub(super) fn start(world: &Arc<World>, journal: Journal, rng: &mut Rng) -> Self {
        let mut nemesis = Self {
            journal: Arc::new(journal),
            stop: Arc::default(),
            tally: Arc::default(),
            threads: Vec::new(),
        };
        for n in 0..world.nodes.len() {
            nemesis.spawn(world, rng, move |hand| hand.torture_process(n));
        }
        nemesis.spawn(world, rng, |hand| {
            hand.torture_server(|world| &world.redis, 1_000..5_000, 500)
        });
        nemesis.spawn(world, rng, |hand| {
            hand.torture_server(|world| &world.mysql, 2_000..10_000, 1_000)
        });
        for _ in 0..SPOILERS {
            nemesis.spawn(world, rng, Hand::spoil_link);
        }
        nemesis
    }

    fn spawn(
        &mut self,
        world: &Arc<World>,
        rng: &mut Rng,
        act: impl Fn(&mut Hand) + Send + 'static,
    ) {
        let mut hand = Hand {
            rng: Rng::with_seed(rng.u64(..)),
            world: Arc::clone(world),
            tally: Arc::clone(&self.tally),
            stop: Arc::clone(&self.stop),
            journal: Arc::clone(&self.journal),
        };
        self.threads.push(thread::spawn(move || {
            while !hand.is_stopped() {
                act(&mut hand);
            }
        }));
    }

    /// Lets each of them end what it does; then everything runs, and every way is good.
    pub(super) fn stop(self, world: &World) -> Arc<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        // All of them, so that none is left that kills what the next test starts.
        let ended: Vec<_> = self.threads.into_iter().map(JoinHandle::join).collect();
        world.heal();
        for end in ended {
            end.expect("what was killed can be started again");
        }
        self.tally
    }
}

struct Hand {
    rng: Rng,
    world: Arc<World>,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    journal: Arc<Journal>,
}

impl Hand {
    fn note(&self, what: &str) {
        self.journal.note(what);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for some milliseconds, or until all is over.
    fn wait(&mut self, milliseconds: Range<u64>) {
        let until = Instant::now() + Duration::from_millis(self.rng.u64(milliseconds));
        while !self.is_stopped() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn torture_process(&mut self, n: usize) {
        self.wait(50..3_000);
        let world = Arc::clone(&self.world);
        let mut node = world.node(n);
        if let Some(status) = node.service.ended() {
            self.journal
                .complain(format!("{} ended by itself: {status}", node.name));
            node.start_again();
        }
        match self.rng.u8(0..20) {
            0..12 => {
                self.tally.count(&self.tally.kills);
                self.note(&format!("kill {}", node.name));
                node.service.kill();
            }
            12..14 => {
                self.tally.count(&self.tally.terminations);
                self.note(&format!("terminate {}", node.name));
                let status = node.service.terminate();
                if !status.success() {
                    let what = format!("{} ended with {status} when asked to", node.name);
                    self.journal.complain(what);
                }
            }
            14 => {
                self.tally.count(&self.tally.stops);
                self.tally.count(&self.tally.kills);
                self.note(&format!("stop and kill {}", node.name));
                node.service.pause();
                self.wait(10..1_000);
                node.service.kill();
            }
            _ => {
                self.tally.count(&self.tally.stops);
                self.note(&format!("stop {}", node.name));
                node.service.pause();
                self.wait(10..2_000);
                node.service.resume();
                self.note(&format!("{} goes on", node.name));
                return;
            }
        }
        if self.rng.bool() {
            self.wait(0..500);
        }
        node.start_again();
        self.note(&format!("{} is started", node.name));
    }

    /// `gap` and `away` are milliseconds: from one to the next, and how long it is away at most.
    fn torture_server(&mut self, which: fn(&World) -> &Server, gap: Range<u64>, away: u64) {
        self.wait(gap);
        let world = Arc::clone(&self.world);
        let server = which(&world);
        if self.is_stopped() {
            return;
        }
        if self.rng.bool() {
            self.tally.count(&self.tally.kills);
            self.note(&format!("kill {}", server.url()));
            server.kill();
            self.wait(0..away);
            server.restart();
            self.note(&format!("{} is started", server.url()));
        } else {
            self.tally.count(&self.tally.stops);
            self.note(&format!("stop {}", server.url()));
            server.pause();
            self.wait(50..3 * away);
            server.resume();
            self.note(&format!("{} goes on", server.url()));
        }
    }

    fn spoil_link(&mut self) {
        self.wait(0..1_000);
        let world = Arc::clone(&self.world);
        let link = &world.links[self.rng.usize(0..world.links.len())];
        let fault = match self.rng.u8(0..10) {
            0..2 => {
                self.tally.count(&self.tally.cuts);
                self.note(&format!("{} reset", link.name));
                link.proxy.reset();
                return;
            }
            2..5 => {
                self.tally.count(&self.tally.cuts);
                let after = self.rng.u64(0..3_000);
                if self.rng.bool() {
                    Fault::Cut { after }
                } else {
                    Fault::Close { after }
                }
            }
            5..7 => {
                self.tally.count(&self.tally.stalls);
                Fault::Stall
            }
            7 => {
                self.tally.count(&self.tally.losses);
                Fault::Lose
            }
            _ => {
                self.tally.count(&self.tally.delays);
                Fault::Delay(Duration::from_millis(self.rng.u64(1..300)))
            }
        };
        let which = self.rng.u8(0..3);
        if which != 0 {
            link.proxy.spoil(Direction::ToServer, fault);
        }
        if which != 1 {
            link.proxy.spoil(Direction::ToClient, fault);
        }
        self.note(&format!("{} {fault:?} {which}", link.name));
        self.wait(50..2_000);
        link.proxy.heal();
        self.note(&format!("{} healed", link.name));
    }
}
