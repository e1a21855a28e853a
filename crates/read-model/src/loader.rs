//! Reads of single circles, put together.

use shared_domain::{CircleId, Sequence};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::circles::{Circles, Stored};
use crate::error::Error;
use crate::task::OwnedTask;

/// How many circles one command reads.
const TOGETHER: usize = 256;

/// Reads single circles of one partition. Whoever asks while a command is on
/// its way shares the next one; nobody waits for others to come. The task ends
/// when this is dropped.
pub(crate) struct Loader {
    asks: UnboundedSender<Ask>,
    _task: OwnedTask,
}

struct Ask {
    id: CircleId,
    answer: oneshot::Sender<Result<(Sequence, Stored), Error>>,
}

impl Loader {
    pub(crate) fn start(circles: Circles) -> Self {
        let (asks, asked) = unbounded_channel();
        Self {
            asks,
            _task: tokio::spawn(load(circles, asked)).into(),
        }
    }

    /// What is stored of a circle, and how far the partition had come, at a
    /// moment after this call began. It may be dropped at any time.
    pub(crate) async fn read(&self, id: CircleId) -> Result<(Sequence, Stored), Error> {
        let (answer, answered) = oneshot::channel();
        // The task lives as long as this, unless the runtime ends.
        let _ = self.asks.send(Ask { id, answer });
        match answered.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }
}

async fn load(circles: Circles, mut asked: UnboundedReceiver<Ask>) {
    let mut asks = Vec::with_capacity(TOGETHER);
    loop {
        if asked.recv_many(&mut asks, TOGETHER).await == 0 {
            return;
        }
        // Whoever is about to ask does so before this goes on.
        tokio::task::yield_now().await;
        while asks.len() < TOGETHER
            && let Ok(ask) = asked.try_recv()
        {
            asks.push(ask);
        }
        asks.retain(|ask| !ask.answer.is_closed());
        let ids: Vec<CircleId> = asks.iter().map(|ask| ask.id).collect();
        if ids.is_empty() {
            continue;
        }
        match circles.read(&ids).await {
            Ok((sequence, stored)) => {
                for (ask, stored) in asks.drain(..).zip(stored) {
                    let _ = ask.answer.send(Ok((sequence, stored)));
                }
            }
            Err(error) => {
                for ask in asks.drain(..) {
                    let _ = ask.answer.send(Err(error.clone()));
                }
            }
        }
    }
}
