//! A request under an id of the client's, sent again.

use circles_proto::circles::v1::{CreateCircleRequest, DeleteCircleRequest, UpdateCircleRequest};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::{Code, Response, Status};

use crate::failures::refused;
use crate::log::fresh;
use crate::service::{Answer, Client, create, delete, new_id, rename, resize};

on_every_engine!(
    every_request_sent_again_is_answered_as_at_first,
    a_replica_and_a_restarted_service_answer_the_same,
    an_id_of_another_request_is_refused,
    an_id_that_only_failed_is_still_free,
);

/// A command of any kind.
#[derive(Clone, Debug)]
enum Request {
    Create(CreateCircleRequest),
    Update(UpdateCircleRequest),
    Delete(DeleteCircleRequest),
}

impl Request {
    fn id(&mut self) -> &mut Option<String> {
        match self {
            Self::Create(request) => &mut request.request_id,
            Self::Update(request) => &mut request.request_id,
            Self::Delete(request) => &mut request.request_id,
        }
    }

    async fn send(self, client: &mut Client) -> Result<Response<Answer>, Status> {
        match self {
            Self::Create(request) => client.create_circle(request).await.map(answer),
            Self::Update(request) => client.update_circle(request).await.map(answer),
            Self::Delete(request) => client.delete_circle(request).await.map(answer),
        }
    }
}

fn answer<T>(response: Response<T>) -> Response<Answer>
where
    Answer: From<Response<T>>,
{
    Response::new(response.into())
}

impl From<Response<Self>> for Answer {
    fn from(response: Response<Self>) -> Self {
        response.into_inner()
    }
}

/// Does a command of every kind under ids of its own, in a history where others come between,
/// and ends with the circle deleted. Returns what was asked and answered.
async fn lived(client: &mut Client) -> Vec<(Request, Answer)> {
    let id = new_id();
    let mut named = create("tennis", 4);
    named.circle_id = Some(id.clone());
    let mut versioned = resize(&id, 30);
    versioned.version = Some(1);
    let mut both = rename(&id, "squash");
    both.capacity = Some(31);
    let mut last = delete(&id);
    last.reason = Some("no members".to_owned());

    let mut answered = Vec::new();
    for mut request in [
        Request::Create(create("football", 20)),
        Request::Create(named),
        Request::Update(versioned),
        Request::Update(rename(&id, "badminton")),
        // Half of it is new.
        Request::Update(both),
        // It was so before: what is decided depends on the state of that time.
        Request::Update(rename(&id, "tennis")),
        Request::Delete(last),
    ] {
        *request.id() = Some(new_id());
        let answer = request.clone().send(client).await.unwrap();
        answered.push((request, answer.into_inner()));
        client.create_circle(create("others", 20)).await.unwrap();
    }
    answered
}

async fn every_request_sent_again_is_answered_as_at_first(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let answered = lived(&mut client).await;
    let events = log.events().await;
    for _ in 0..2 {
        for (request, first) in &answered {
            let again = request.clone().send(&mut client).await.unwrap();
            assert_eq!(&again.into_inner(), first, "{request:?}");
        }
    }
    assert_eq!(log.events().await, events);
}

async fn a_replica_and_a_restarted_service_answer_the_same(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let replica = log.service().await;
    let answered = lived(&mut client).await;
    let events = log.events().await;
    drop(client);
    service.stop().ended().await;
    let restarted = log.service().await;

    for service in [replica, restarted] {
        let mut client = service.client().await;
        for (request, first) in &answered {
            let again = request.clone().send(&mut client).await.unwrap();
            assert_eq!(&again.into_inner(), first, "{request:?}");
        }
    }
    assert_eq!(log.events().await, events);
}

async fn an_id_of_another_request_is_refused(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let others = client.create_circle(create("others", 20)).await.unwrap();
    let other_circle = Answer::from(others).circle_id;
    let mut answered = lived(&mut client).await;
    let events = log.events().await;
    let circle = answered[1].1.circle_id.clone();

    let mut versioned = resize(&circle, 30);
    versioned.version = Some(2);
    let mut reasoned = delete(&circle);
    reasoned.reason = Some("other reasons".to_owned());
    let mut chosen = create("tennis", 4);
    chosen.circle_id = Some(new_id());
    let others = [
        Request::Create(create("hockey", 20)),
        Request::Create(create("football", 21)),
        Request::Create(chosen),
        Request::Update(resize(&circle, 77)),
        Request::Update(rename(&circle, "hockey")),
        Request::Update(resize(&other_circle, 30)),
        Request::Update(versioned),
        Request::Update(resize(&new_id(), 30)),
        Request::Delete(reasoned),
        Request::Delete(delete(&circle)),
        Request::Delete(delete(&other_circle)),
    ];
    let used = (Code::AlreadyExists, "REQUEST_ID_USED".to_owned());
    for (first, _) in &mut answered {
        for mut other in others.clone() {
            other.id().clone_from(first.id());
            let answer = other.clone().send(&mut client).await;
            assert_eq!(refused(answer), used, "{other:?} after {first:?}");
        }
    }
    assert_eq!(log.events().await, events);
}

async fn an_id_that_only_failed_is_still_free(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let mut creation = create("football", 20);
    (creation.circle_id, creation.request_id) = (Some(new_id()), Some(new_id()));
    let id = creation.circle_id.clone().unwrap();
    let mut update = resize(&id, 30);
    update.request_id = Some(new_id());

    let missing = (Code::NotFound, "CIRCLE_NOT_FOUND".to_owned());
    assert_eq!(refused(client.update_circle(update.clone()).await), missing);
    client.create_circle(creation).await.unwrap();
    let answer = Answer::from(client.update_circle(update).await.unwrap());
    assert_eq!((answer.version, answer.sequence), (2, 2));
    assert_eq!(log.events().await.len(), 2);
}
