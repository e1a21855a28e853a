//! A read model that a projector would have built, and what it should show.

use std::collections::BTreeMap;

use circles_proto::circles::v1::{
    BatchGetCirclesRequest, Circle, CircleFilter, CircleOrder, GetCircleRequest, ListCirclesRequest,
};
use query_service::config::Config;
use read_model::{Batch, Change, Checkpoint, Connection, Document, Outcome, Projection};
use shared_domain::{Capacity, CircleId, CircleName, EventId, Version};
use test_support::redis::{Engine, RedisDatabase};
use uuid::Uuid;

use crate::service::{Client, Service, soon};

/// The read model in one logical database.
pub(crate) struct World {
    connection: Connection,
    projection: Projection,
    /// By id; with the sequence of the creation.
    circles: BTreeMap<String, (Circle, i64)>,
    checkpoint: Checkpoint,
    made: u128,
}

impl World {
    /// Connects to a read model that is not built.
    pub(crate) async fn unbuilt(url: &str) -> Self {
        let connection = Connection::open(&read_model::Config::new(url)).unwrap();
        let world = Self {
            projection: Projection::new(connection.clone()),
            connection,
            circles: BTreeMap::new(),
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

    /// Builds the read model of the empty log.
    pub(crate) async fn build(&self) {
        assert!(self.projection.initialize().await.unwrap());
    }

    /// How far the read model has come.
    pub(crate) fn sequence(&self) -> i64 {
        self.checkpoint.sequence.get().try_into().unwrap()
    }

    pub(crate) async fn create(&mut self, name: &str, capacity: i32) -> String {
        self.made += 1;
        let circle = Circle {
            // Ids that do not follow the order of creation.
            circle_id: Uuid::from_u128(self.made.wrapping_mul(u128::MAX / 7)).to_string(),
            name: name.to_owned(),
            capacity,
            version: 1,
        };
        let created = self.checkpoint.sequence.next();
        let document = document(&circle);
        self.apply(Change::Create { document, created }).await;
        let id = circle.circle_id.clone();
        self.circles.insert(id.clone(), (circle, self.sequence()));
        id
    }

    pub(crate) async fn update(&mut self, id: &str, name: &str, capacity: i32) {
        let (circle, created) = self.circles[id].clone();
        let changed = Circle {
            name: name.to_owned(),
            capacity,
            version: circle.version + 1,
            ..circle.clone()
        };
        let (before, after) = (document(&circle), document(&changed));
        self.apply(Change::Update { before, after }).await;
        self.circles.insert(id.to_owned(), (changed, created));
    }

    pub(crate) async fn delete(&mut self, id: &str) {
        let (circle, _) = self.circles.remove(id).unwrap();
        let before = document(&circle);
        self.apply(Change::Delete { before }).await;
    }

    async fn apply(&mut self, change: Change) {
        let sequence = self.checkpoint.sequence.next();
        let event = EventId::from_uuid(Uuid::from_u128(sequence.get().into()));
        let mut batch = Batch::new(Checkpoint::at(sequence, event));
        batch.insert(change);
        let outcome = self.projection.apply(&self.checkpoint, &batch).await;
        assert_eq!(outcome, Ok(Outcome::Applied));
        self.checkpoint = *batch.checkpoint();
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
