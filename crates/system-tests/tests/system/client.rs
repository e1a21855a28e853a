//! Clients that go on through every disaster, and remember what they were told.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use circles_proto::circles::v1::watch_circles_response::Event;
use circles_proto::circles::v1::{
    Circle, CircleChangeType, CreateCircleRequest, DeleteCircleRequest, GetCircleRequest,
    ListCirclesRequest, UpdateCircleRequest, WatchCirclesRequest,
};
use system_tests::seen::{Change, Seen};
use test_support::judge::Documents;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::support::{PATIENCE, Services};

mod tests;

/// Several clients that send commands until they are told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<u64>>,
}

impl Load {
    /// Of clients that go on after whatever can pass.
    pub(crate) fn start(services: &Services, clients: usize) -> Self {
        Self::start_over(services.commands(), clients, passes)
    }

    /// Of clients over one channel, which go on after what `retries` says.
    pub(crate) fn start_over(
        client: CircleCommandServiceClient<Channel>,
        clients: usize,
        retries: Retries,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|_| tokio::spawn(commands(client.clone(), retries, Arc::clone(&stop))))
            .collect();
        Self { stop, clients }
    }

    /// Stops it; the number of events that were acknowledged.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = 0;
        for client in self.clients {
            acknowledged += client.await.unwrap();
        }
        acknowledged
    }
}

/// Creates, changes and deletes circles. Every command is sent again until it is answered, under
/// the same request id, so in the end each of them has made one event.
async fn commands(
    client: CircleCommandServiceClient<Channel>,
    retries: Retries,
    stop: Arc<AtomicBool>,
) -> u64 {
    let mut events = 0;
    while !stop.load(Ordering::Relaxed) {
        let create = CreateCircleRequest {
            name: format!("circle {}", events % 17),
            capacity: 20,
            request_id: Some(Uuid::now_v7().to_string()),
            ..Default::default()
        };
        let created = until_answered(retries, || {
            let (mut client, create) = (client.clone(), create.clone());
            async move { client.create_circle(create).await }
        })
        .await;
        for capacity in 21..24 {
            let update = UpdateCircleRequest {
                circle_id: created.circle_id.clone(),
                capacity: Some(capacity),
                request_id: Some(Uuid::now_v7().to_string()),
                ..Default::default()
            };
            until_answered(retries, || {
                let (mut client, update) = (client.clone(), update.clone());
                async move { client.update_circle(update).await }
            })
            .await;
        }
        events += 4;
        if events % 3 == 0 {
            let delete = DeleteCircleRequest {
                circle_id: created.circle_id,
                request_id: Some(Uuid::now_v7().to_string()),
                ..Default::default()
            };
            until_answered(retries, || {
                let (mut client, delete) = (client.clone(), delete.clone());
                async move { client.delete_circle(delete).await }
            })
            .await;
            events += 1;
        }
    }
    events
}

/// After which failures a client tries again.
pub(crate) type Retries = fn(&Status) -> bool;

async fn until_answered<T, F>(retries: Retries, call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(response) => return response.into_inner(),
            Err(status) if retries(&status) => {
                assert!(Instant::now() < deadline, "in vain: {status}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(status) => panic!("{status:?}"),
        }
    }
}

fn passes(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::ResourceExhausted
    )
}

/// Watches all circles from the log's beginning, through every interruption.
pub(crate) struct Watcher {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Watcher {
    pub(crate) fn start(services: &Services) -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(follow(services.queries(), tell));
        Self { seen, task }
    }

    /// Waits until it has come as far as `sequence`, and has these documents.
    pub(crate) async fn has(mut self, sequence: u64, expected: &Documents) {
        let has = |seen: &Seen| seen.sequence >= sequence && seen.documents == *expected;
        let has = tokio::time::timeout(PATIENCE, self.seen.wait_for(has));
        let in_time = matches!(has.await, Ok(Ok(_)));
        self.task.abort();
        // Whatever it had by then, it has found something wrong.
        if let Err(ended) = self.task.await
            && ended.is_panic()
        {
            resume_unwind(ended.into_panic());
        }
        if in_time {
            return;
        }
        let seen = self.seen.borrow();
        let reached = seen.sequence;
        assert!(
            reached >= sequence,
            "the watch got to {reached} of {sequence}"
        );
        assert_eq!(&seen.documents, expected, "what the watch told");
    }
}

async fn follow(mut queries: CircleQueryServiceClient<Channel>, tell: watch::Sender<Seen>) {
    loop {
        let from = tell.borrow().sequence;
        let request = WatchCirclesRequest {
            from_sequence: Some(from.try_into().unwrap()),
            circle_ids: Vec::new(),
        };
        let ended = match queries.watch_circles(request).await {
            Ok(stream) => read(stream.into_inner(), &tell).await,
            Err(status) => status,
        };
        match ended.code() {
            Code::OutOfRange => match list(&mut queries).await {
                Ok((documents, sequence)) => tell.send_modify(|seen| {
                    seen.documents = documents;
                    seen.sequence = sequence;
                }),
                Err(status) => assert!(passes(&status), "{status:?}"),
            },
            _ => assert!(passes(&ended), "{ended:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn read(
    mut stream: tonic::Streaming<circles_proto::circles::v1::WatchCirclesResponse>,
    tell: &watch::Sender<Seen>,
) -> Status {
    loop {
        let event = match stream.message().await {
            Ok(Some(message)) => message.event.unwrap(),
            Ok(None) => return Status::unavailable("the stream ended"),
            Err(status) => return status,
        };
        tell.send_modify(|seen| match event {
            Event::Progress(progress) => seen.sequence = progress.sequence.unsigned_abs(),
            Event::Change(change) => {
                let change = Change {
                    sequence: change.sequence.unsigned_abs(),
                    is_correction: change.r#type() == CircleChangeType::Corrected,
                    document: change.circle.as_ref().map(document),
                    circle_id: change.circle_id,
                };
                seen.take(change).unwrap();
            }
        });
    }
}

/// Everything, as of one moment or later; a watch from the first page's sequence tells the rest.
async fn list(queries: &mut CircleQueryServiceClient<Channel>) -> Result<(Documents, u64), Status> {
    let mut documents = Documents::new();
    let mut first = None;
    let mut page_token = String::new();
    loop {
        let request = ListCirclesRequest {
            page_size: 100,
            page_token,
            ..Default::default()
        };
        let page = queries.list_circles(request).await?.into_inner();
        first.get_or_insert(page.sequence.unsigned_abs());
        for circle in page.circles {
            documents.insert(circle.circle_id.clone(), document(&circle));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((documents, first.unwrap_or_default()));
        }
    }
}

/// As the read model keeps it.
fn document(circle: &Circle) -> String {
    let name = serde_json::to_string(&circle.name).unwrap();
    format!(
        r#"{{"id":"{}","name":{name},"capacity":{},"version":{}}}"#,
        circle.circle_id, circle.capacity, circle.version
    )
}

/// Asks for one circle all the time, which is there all the time: it is shown, or the answer is
/// UNAVAILABLE, but never that there is none.
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(u64, u64)>,
}

impl Reader {
    pub(crate) fn start(services: &Services, circle_id: String) -> Self {
        Self::start_over(services.queries(), circle_id, passes)
    }

    /// Over a channel, for as long as nothing fails but what `retries` says.
    pub(crate) fn start_over(
        queries: CircleQueryServiceClient<Channel>,
        circle_id: String,
        retries: Retries,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(ask(queries, circle_id, retries, Arc::clone(&stop)));
        Self { stop, task }
    }

    /// How often the circle was shown, and how often there was no answer.
    pub(crate) async fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn ask(
    mut queries: CircleQueryServiceClient<Channel>,
    circle_id: String,
    retries: Retries,
    stop: Arc<AtomicBool>,
) -> (u64, u64) {
    let (mut shown, mut unavailable) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let request = GetCircleRequest {
            circle_id: circle_id.clone(),
            min_sequence: None,
        };
        match queries.get_circle(request).await {
            Ok(_) => shown += 1,
            Err(status) if retries(&status) => unavailable += 1,
            Err(status) => panic!("{status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (shown, unavailable)
}

/// Creates a circle, as soon as the service is ready.
pub(crate) async fn create(services: &Services, name: &str) -> (String, i64) {
    let client = services.commands();
    let create = CreateCircleRequest {
        name: name.to_owned(),
        capacity: 20,
        request_id: Some(Uuid::now_v7().to_string()),
        ..Default::default()
    };
    let created = until_answered(passes, || {
        let (mut client, create) = (client.clone(), create.clone());
        async move { client.create_circle(create).await }
    })
    .await;
    (created.circle_id, created.sequence)
}

/// Waits until a circle is shown as it was after an event.
pub(crate) async fn until_visible(services: &Services, circle_id: &str, sequence: i64) {
    let queries = services.queries();
    let get = GetCircleRequest {
        circle_id: circle_id.to_owned(),
        min_sequence: Some(sequence),
    };
    until_answered(passes, || {
        let (mut queries, get) = (queries.clone(), get.clone());
        async move { queries.get_circle(get).await }
    })
    .await;
}
