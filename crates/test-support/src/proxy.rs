//! A way between two programs that can be made slow, silent, or cut.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server answers.
    ToClient,
}

/// What happens to the bytes of one direction, until [`Proxy::heal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They come later by so much.
    Delay(Duration),
    /// They wait, and come when it is healed.
    Stall,
    /// So many more come, on all connections together; then the connection is reset, in the
    /// middle of whatever it was, and so is every later one at its first byte.
    Cut {
        /// How many.
        after: u64,
    },
    /// As `Cut`, but the connection is closed in order, as that of a program that ends.
    Close {
        /// How many.
        after: u64,
    },
    /// They never come, and nobody is told: the connections that there are now stay silent even
    /// when it is healed, as where a firewall has forgotten them.
    Lose,
}

/// Takes connections and carries their bytes to a server and back. Gone when dropped, with all
/// connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    state: watch::Sender<State>,
    /// How many bytes are left before the cut, by direction.
    left: [AtomicU64; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    faults: [Option<Fault>; 2],
    /// How often the connections were reset.
    resets: u64,
}

impl Proxy {
    /// Listens on some port. Must be called in a runtime.
    ///
    /// # Panics
    ///
    /// Where there is no port or no runtime.
    #[must_use]
    pub fn start(server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            state: watch::Sender::default(),
            left: Default::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        *self
            .shared
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Makes one direction bad.
    pub fn spoil(&self, direction: Direction, fault: Fault) {
        if let Fault::Cut { after } | Fault::Close { after } = fault {
            self.shared.left[direction as usize].store(after, Ordering::Relaxed);
        }
        let spoil = |state: &mut State| state.faults[direction as usize] = Some(fault);
        self.shared.state.send_modify(spoil);
    }

    /// Makes both directions good again.
    pub fn heal(&self) {
        self.shared
            .state
            .send_modify(|state| state.faults = [None; 2]);
    }

    /// Resets all connections. New ones are welcome.
    pub fn reset(&self) {
        self.shared.state.send_modify(|state| state.resets += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                connections.spawn(carry(client, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// One of both closed it.
    Closed,
    /// It breaks.
    Reset,
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let mut state = shared.state.subscribe();
    let resets = state.borrow().resets;
    let address = *shared.server.lock().unwrap_or_else(PoisonError::into_inner);
    let end = match TcpStream::connect(address).await {
        Ok(mut server) => {
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let end = {
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                let to_server = pump(&shared, Direction::ToServer, from_client, to_server);
                let to_client = pump(&shared, Direction::ToClient, from_server, to_client);
                tokio::select! {
                    end = to_server => end,
                    end = to_client => end,
                    _ = state.wait_for(|state| state.resets != resets) => End::Reset,
                }
            };
            if end == End::Reset {
                let _ = server.set_zero_linger();
            }
            end
        }
        Err(_) => End::Reset,
    };
    if end == End::Reset {
        let _ = client.set_zero_linger();
    }
}

async fn pump(
    shared: &Shared,
    direction: Direction,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
) -> End {
    let mut state = shared.state.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = {
            let mut lost = pin!(state.wait_for(|state| state.is_lost(direction)));
            tokio::select! {
                biased;
                _ = &mut lost => None,
                read = from.read(&mut buffer) => Some(read),
            }
        };
        let count = match read {
            None => std::future::pending().await,
            Some(Ok(0)) => return End::Closed,
            Some(Err(_)) => return End::Reset,
            Some(Ok(count)) => count,
        };
        let mut end = None;
        let mut passing = count;
        loop {
            let fault = state.borrow_and_update().faults[direction as usize];
            match fault {
                None => {}
                Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
                Some(Fault::Stall) => {
                    // The sender lives as long as what is shared.
                    let _ = state.changed().await;
                    continue;
                }
                Some(Fault::Cut { .. } | Fault::Close { .. }) => {
                    let left = &shared.left[direction as usize];
                    let less = |left: u64| Some(left.saturating_sub(count as u64));
                    let left = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                    let left = usize::try_from(left.unwrap_or_default()).unwrap_or(usize::MAX);
                    if left < count {
                        let closes = matches!(fault, Some(Fault::Close { .. }));
                        let how = if closes { End::Closed } else { End::Reset };
                        (passing, end) = (left, Some(how));
                    }
                }
                Some(Fault::Lose) => std::future::pending().await,
            }
            break;
        }
        if to.write_all(&buffer[..passing]).await.is_err() {
            return End::Reset;
        }
        if let Some(end) = end {
            return end;
        }
    }
}

impl State {
    fn is_lost(&self, direction: Direction) -> bool {
        self.faults[direction as usize] == Some(Fault::Lose)
    }
}

#[cfg(test)]
mod tests;
