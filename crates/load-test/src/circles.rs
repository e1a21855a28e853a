//! The circles that a workload works on: created first, so that they exist and are warm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use circles_proto::circles::v1::{CreateCircleRequest, CreateCircleResponse};
use prost::Message as _;
use tokio::task::JoinSet;

use crate::client::{Client, Failure};
use crate::grpc::{Rpc, frame};

/// Some circles, known to exist.
#[derive(Debug)]
pub(crate) struct Circles {
    list: Vec<Circle>,
    /// A read model that has come this far knows them all.
    pub(crate) sequence: i64,
}

#[derive(Debug)]
struct Circle {
    id: Box<str>,
    capacity: Cell<i16>,
}

/// Calls at the same time while circles are made ready, which is not measured.
const IN_FLIGHT: usize = 512;

/// Capacities at creation are below.
const FIRST_NEW_CAPACITY: i16 = 1_000;

/// Circles are called after these, with a number.
pub(crate) const NAMES: [&str; 8] = [
    "Astronomy",
    "Badminton",
    "Chess",
    "Debating",
    "Esperanto",
    "Fencing",
    "Gardening",
    "Hiking",
];

/// A circle to create: name and capacity as real ones could have them.
pub(crate) fn new_circle() -> CreateCircleRequest {
    let name = fastrand::choice(NAMES).unwrap_or_default();
    CreateCircleRequest {
        name: format!("{name} {:07}", fastrand::u32(..10_000_000)),
        capacity: fastrand::i32(3..i32::from(FIRST_NEW_CAPACITY)),
        circle_id: None,
        request_id: None,
    }
}

impl Circles {
    /// None at all, for workloads that need none.
    pub(crate) fn none() -> Self {
        Self {
            list: Vec::new(),
            sequence: 0,
        }
    }

    /// These, which exist once the read model has come to `sequence`.
    pub(crate) fn known(ids: impl IntoIterator<Item = String>, sequence: i64) -> Self {
        let circle = |id: String| Circle {
            id: id.into(),
            capacity: Cell::new(FIRST_NEW_CAPACITY),
        };
        Self {
            list: ids.into_iter().map(circle).collect(),
            sequence,
        }
    }

    /// Creates `count` of them.
    pub(crate) async fn create(client: &Client, count: usize) -> Result<Self, Failure> {
        let started = Rc::new(Cell::new(0));
        let created = Rc::new(RefCell::new(Self::none()));
        let mut slots = JoinSet::new();
        for n in 0..IN_FLIGHT.min(count) {
            let mut caller = client.caller(n);
            let (started, created) = (Rc::clone(&started), Rc::clone(&created));
            slots.spawn_local(async move {
                while started.replace(started.get() + 1) < count {
                    let answer = caller.call(Rpc::CreateCircle, frame(&new_circle())).await?;
                    let answer = CreateCircleResponse::decode(answer)
                        .map_err(|_| Failure::Malformed("not a CreateCircleResponse"))?;
                    created.borrow_mut().add(&answer);
                }
                Ok(())
            });
        }
        while let Some(slot) = slots.join_next().await {
            slot.unwrap_or(Err(Failure::Malformed("the generator failed")))?;
        }
        Ok(created.replace(Self::none()))
    }

    fn add(&mut self, created: &CreateCircleResponse) {
        self.list.push(Circle {
            id: created.circle_id.as_str().into(),
            capacity: Cell::new(FIRST_NEW_CAPACITY),
        });
        self.sequence = self.sequence.max(created.sequence);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The id of any of them.
    pub(crate) fn any(&self) -> String {
        self.pick().id.to_string()
    }

    /// The id of any of them, with a capacity that it did not have lately, so that an update with it always
    /// changes something.
    pub(crate) fn any_with_new_capacity(&self) -> (String, i32) {
        let circle = self.pick();
        let capacity = circle.capacity.get();
        circle
            .capacity
            .set(capacity.checked_add(1).unwrap_or(FIRST_NEW_CAPACITY));
        (circle.id.to_string(), i32::from(capacity))
    }

    fn pick(&self) -> &Circle {
        &self.list[fastrand::usize(..self.list.len())]
    }
}
