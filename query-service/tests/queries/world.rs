//! A read model that a projector would have built, and what it should show.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use circles_proto::circles::v1::{
    BatchGetCirclesRequest, Circle, CircleFilter, CircleOrder, GetCircleRequest, ListCirclesRequest,
};
use query_service::config::Config;
use read_model::{
    Batch, Before, Change, ChangeEntry, ChangePosition, Checkpoint, Connection, Document,
    EventKind, HistoryEntry, Outcome, Parked, ParkedEvent, Partition, Repair, RepairMode, Repaired,
};
use shared_domain::{Capacity, CircleId, CircleName, DeletionReason, EventId, Version};
use test_support::redis::{Engine, RedisDatabase};
use uuid::Uuid;

use crate::service::{Client, Service, soon};

/// The read model in one logical database.
pub(crate) struct World {
    connection: Connection,
    partition: Partition,
    /// By id; with the sequence of the creation.
    circles: BTreeMap<String, (Circle, i64)>,
    /// By id, with what a deleted circle was.
    histories: BTreeMap<String, Vec<HistoryEntry>>,
    checkpoint: Checkpoint,
    made: u128,
}

/// When the event of a sequence occurred.
pub(crate) fn occurred_at(sequence: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + 60 * sequence, 7_000).unwrap()
}

impl World {
    /// Connects to a read model that is not built.
    pub(crate) async fn unbuilt(url: &str) -> Self {
        let connection = Connection::open(&read_model::Config::new(url)).unwrap();
        let world = Self {
            partition: read_model::partitions(&connection).remove(0),
            connection,
            circles: BTreeMap::new(),
            histories: BTreeMap::new(),
            checkpoint: Checkpoint::EMPTY,
            made: 0,
        };
        world.connected().await;
        world
    }

    /// Waits until it has a connection, after an outage say.
    pub(crate) async fn connected(&self) {
        soon(self.connection.connected()).await.unwrap();
    }

    /// Keeps only so many changes.
    pub(crate) fn keep(&mut self, changes: u32) {
        self.partition = self.partition.clone().keeping(changes);
    }

    /// Builds the read model of the empty log.
    pub(crate) async fn build(&self) {
        let building = self.partition.begin(None, "test").await.unwrap().unwrap();
        let mut batch = Batch::new(Checkpoint::EMPTY);
        batch.completes = true;
        let outcome = self.partition.apply(&building, &batch).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    }

    /// How far the read model has come.
    pub(crate) fn sequence(&self) -> i64 {
        self.checkpoint.sequence.get().try_into().unwrap()
    }

    pub(crate) async fn create(&mut self, name: &str, capacity: i32) -> String {
        self.create_all([(name, capacity)]).await.remove(0)
    }

    /// All in one batch.
    pub(crate) async fn create_all<'a>(
        &mut self,
        circles: impl IntoIterator<Item = (&'a str, i32)>,
    ) -> Vec<String> {
        let mut batch = Batch::new(self.checkpoint);
        let mut ids = Vec::new();
        for (name, capacity) in circles {
            self.made += 1;
            let circle = Circle {
                // Ids that do not follow the order of creation.
                circle_id: Uuid::from_u128(self.made.wrapping_mul(u128::MAX / 7)).to_string(),
                name: name.to_owned(),
                capacity,
                version: 1,
            };
            let id = circle.circle_id.clone();
            self.happen(&mut batch, &id, EventKind::CircleCreated, Some(circle));
            ids.push(id);
        }
        self.apply(batch).await;
        ids
    }

    pub(crate) async fn update(&mut self, id: &str, name: &str, capacity: i32) {
        let (circle, _) = self.circles[id].clone();
        let changed = Circle {
            name: name.to_owned(),
            capacity,
            version: circle.version + 1,
            ..circle
        };
        let mut batch = Batch::new(self.checkpoint);
        self.happen(&mut batch, id, EventKind::CircleUpdated, Some(changed));
        self.apply(batch).await;
    }

    pub(crate) async fn delete(&mut self, id: &str) {
        let mut batch = Batch::new(self.checkpoint);
        self.happen(&mut batch, id, EventKind::CircleDeleted, None);
        self.apply(batch).await;
    }

    /// Parks a circle by an event that can't be read.
    pub(crate) async fn park(&mut self, id: &str) {
        let checkpoint = self.next_checkpoint();
        let mut batch = Batch::new(checkpoint);
        batch.parked.push(Parked {
            circle_id: CircleId::parse(id).unwrap(),
            event: ParkedEvent {
                sequence: checkpoint.sequence,
                version: Version::new(2).unwrap(),
                reason: "it can't be read".to_owned(),
            },
        });
        self.apply(batch).await;
    }

    /// Puts right how a circle is shown.
    pub(crate) async fn repair(&self, id: &str) {
        let history = self.histories[id].clone();
        let repair = Repair {
            id: CircleId::parse(id).unwrap(),
            version: history.last().map(|entry| entry.version),
            document: self.circles.get(id).map(|(circle, _)| document(circle)),
            created: history[0].sequence,
            history,
            parked: None,
        };
        let standing = self.partition.standing().await.unwrap().unwrap();
        let repairs = [repair];
        let done = self
            .partition
            .repair(&standing, &repairs, RepairMode::Repair)
            .await
            .unwrap();
        assert!(matches!(done, Repaired::Done { .. }), "{done:?}");
    }

    fn next_checkpoint(&self) -> Checkpoint {
        let sequence = self.checkpoint.sequence.next();
        let event = EventId::from_uuid(Uuid::from_u128(sequence.get().into()));
        Checkpoint::at(sequence, event)
    }

    /// Adds the next event, of a circle that the batch has none of.
    fn happen(&mut self, batch: &mut Batch, id: &str, kind: EventKind, after: Option<Circle>) {
        self.checkpoint = self.next_checkpoint();
        batch.checkpoint = self.checkpoint;
        let sequence = self.checkpoint.sequence;
        let before = self.circles.remove(id);
        let old = before.as_ref().map(|(circle, _)| document(circle));
        let new = after.as_ref().map(document);
        let history = self.histories.entry(id.to_owned()).or_default();
        let base = history.last().map(|entry| entry.version);
        let changed = new.as_ref();
        let entry = HistoryEntry {
            version: base.map_or(Version::FIRST, |base| base.next().unwrap()),
            kind,
            name: changed.map(|new| new.name.clone()),
            capacity: changed.map(|new| new.capacity),
            before: Before {
                name: old
                    .as_ref()
                    .map(|old| old.name.clone())
                    .filter(|name| changed.is_none_or(|new| new.name != *name)),
                capacity: old
                    .as_ref()
                    .map(|old| old.capacity)
                    .filter(|capacity| changed.is_none_or(|new| new.capacity != *capacity)),
            },
            occurred_at: occurred_at(self.checkpoint.sequence.get().try_into().unwrap()),
            effective_at: None,
            actor: (kind == EventKind::CircleUpdated).then(|| "anna".to_owned()),
            sequence,
            reason: (kind == EventKind::CircleDeleted)
                .then(|| DeletionReason::new("too few").unwrap()),
        };
        history.push(entry.clone());
        let circle_id = CircleId::parse(id).unwrap();
        batch.entries.push(ChangeEntry {
            position: ChangePosition::of(sequence),
            kind: Some(kind),
            circle_id,
            version: Some(entry.version),
            event_id: self.checkpoint.event_id,
            document: new.clone(),
        });
        batch.changes.push(Change {
            id: circle_id,
            base,
            created: (kind == EventKind::CircleCreated).then_some(sequence),
            before: old,
            after: new,
            history: vec![entry],
        });
        if let Some(after) = after {
            let created = before.map_or(self.sequence(), |(_, created)| created);
            self.circles.insert(id.to_owned(), (after, created));
        }
    }

    async fn apply(&mut self, batch: Batch) {
        let standing = self.partition.standing().await.unwrap().unwrap();
        let outcome = self.partition.apply(&standing, &batch).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
        self.checkpoint = batch.checkpoint;
    }

    /// What a query for one circle should find.
    pub(crate) fn circle(&self, id: &str) -> Circle {
        self.circles[id].0.clone()
    }

    /// The whole list that should be shown.
    pub(crate) fn list(&self, order: CircleOrder, filter: &CircleFilter) -> Vec<Circle> {
        let mut listed: Vec<_> = self
            .circles
            .values()
            .filter(|(circle, _)| {
                circle.name.starts_with(&filter.name_prefix)
                    && filter.min_capacity.is_none_or(|min| circle.capacity >= min)
                    && filter.max_capacity.is_none_or(|max| circle.capacity <= max)
            })
            .cloned()
            .collect();
        use CircleOrder as By;
        listed.sort_by_key(|(circle, created)| {
            let capacity = i64::from(circle.capacity);
            let (name, id) = (circle.name.clone(), circle.circle_id.clone());
            match order {
                By::Unspecified | By::NameAsc | By::NameDesc => (0, name, id),
                By::CapacityAsc | By::CapacityDesc => (capacity, name, id),
                By::CreateTimeAsc | By::CreateTimeDesc => (*created, String::new(), String::new()),
            }
        });
        if matches!(order, By::NameDesc | By::CapacityDesc | By::CreateTimeDesc) {
            listed.reverse();
        }
        listed.into_iter().map(|(circle, _)| circle).collect()
    }
}

fn document(circle: &Circle) -> Document {
    Document {
        id: CircleId::parse(&circle.circle_id).unwrap(),
        name: CircleName::new(&circle.name).unwrap(),
        capacity: Capacity::new(circle.capacity.into()).unwrap(),
        version: Version::new(circle.version.into()).unwrap(),
    }
}

/// A built, empty read model with a service on it.
pub(crate) struct Shown {
    pub(crate) world: World,
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) redis: RedisDatabase,
}

/// With what `change` makes of the configuration.
pub(crate) async fn shown_with(engine: Engine, change: impl FnOnce(&mut Config)) -> Shown {
    let redis = RedisDatabase::fresh(engine);
    let world = World::unbuilt(&redis.url()).await;
    world.build().await;
    let mut config = Config::new(&redis.url());
    change(&mut config);
    let service = Service::start(config);
    service.serving().await;
    Shown {
        world,
        client: service.client().await,
        service,
        redis,
    }
}

pub(crate) async fn shown(engine: Engine) -> Shown {
    shown_with(engine, |_| {}).await
}

pub(crate) fn get(id: &str) -> GetCircleRequest {
    GetCircleRequest {
        circle_id: id.to_owned(),
        ..GetCircleRequest::default()
    }
}

pub(crate) fn batch_get(
    ids: impl IntoIterator<Item = impl Into<String>>,
) -> BatchGetCirclesRequest {
    BatchGetCirclesRequest {
        circle_ids: ids.into_iter().map(Into::into).collect(),
        ..BatchGetCirclesRequest::default()
    }
}

pub(crate) fn list(order: CircleOrder, page_size: i32) -> ListCirclesRequest {
    ListCirclesRequest {
        page_size,
        order_by: order.into(),
        ..ListCirclesRequest::default()
    }
}

/// A list from its first page to its last.
pub(crate) async fn walk(client: &mut Client, mut request: ListCirclesRequest) -> Vec<Circle> {
    let mut listed = Vec::new();
    loop {
        let page = soon(client.list_circles(request.clone())).await.unwrap();
        let page = page.into_inner();
        let size = usize::try_from(request.page_size).unwrap();
        assert!(page.circles.len() <= size, "{}", page.circles.len());
        listed.extend(page.circles);
        if page.next_page_token.is_empty() {
            return listed;
        }
        request.page_token = page.next_page_token;
    }
}

/// All orders, the one for want of another included.
pub(crate) const ORDERS: [CircleOrder; 7] = [
    CircleOrder::Unspecified,
    CircleOrder::NameAsc,
    CircleOrder::NameDesc,
    CircleOrder::CapacityAsc,
    CircleOrder::CapacityDesc,
    CircleOrder::CreateTimeAsc,
    CircleOrder::CreateTimeDesc,
];
